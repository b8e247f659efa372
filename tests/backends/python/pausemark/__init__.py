"""A backend in Python's standard library alone: the example of docs/adding-a-backend.md."""
