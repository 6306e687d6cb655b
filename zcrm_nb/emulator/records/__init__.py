"""What the API does with records and with what hangs on them."""
