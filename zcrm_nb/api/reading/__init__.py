"""Records by query, by list and by search, page by page, and as tables."""
