"""The only writer under results/, and the only reader of what it wrote."""
