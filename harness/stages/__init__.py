"""Verbs, a file each; no stage imports another."""
