"""Notification channels, and how callbacks travel."""
