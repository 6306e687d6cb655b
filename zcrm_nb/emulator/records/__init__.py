"""What the API does with records and with what belongs to them."""
