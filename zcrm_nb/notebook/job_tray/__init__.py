"""The job tray: the state of each bulk job, and buttons to continue it."""
