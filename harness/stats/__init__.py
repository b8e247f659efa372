"""Pure mathematics: no process, clock, file or printing."""
