"""The contract suite: what backends/CONTRACT.md promises, asked of every backend over its socket."""
