"""End to end: the whole, as its users meet it."""
