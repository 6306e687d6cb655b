"""The explorer: choose a module, fields and conditions, and get a query, its price and a table."""
