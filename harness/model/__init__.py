"""Nouns that travel between the stages: frozen, no input or output."""
