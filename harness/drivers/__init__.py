"""Speak to programs in other rooms: backends, load generator, probes, container runtime."""
