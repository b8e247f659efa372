"""What the user side of every probe shares; runs under the system Python, standard library only."""
