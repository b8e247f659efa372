"""All tests of the project; a package, so that its parts can import each other by name."""
