"""The other verbs, and what hangs on a record: related lists, files, notes, tags, timelines."""
