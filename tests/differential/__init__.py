"""One random stream of operations, played to every backend: the answers must be equal."""
