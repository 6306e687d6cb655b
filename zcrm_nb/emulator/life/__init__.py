"""People at work in the org."""
