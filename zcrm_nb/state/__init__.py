"""Notes on disk: files and locks, event log, query log, credit log, folder lease."""
