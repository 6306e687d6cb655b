"""Writing records: noted before it is sent, reported row by row, resolved and undone."""
