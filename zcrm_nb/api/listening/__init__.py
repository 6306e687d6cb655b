"""Notification channels, and what has changed in the meantime."""
