"""The contract suite: what backends/CONTRACT.md promises, asked of each over its socket."""
