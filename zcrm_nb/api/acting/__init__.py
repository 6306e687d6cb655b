"""Other actions, and what belongs to a record: related lists, files, notes, tags, timelines."""
