"""Golden pages: made-up inputs in, one exact page out."""
