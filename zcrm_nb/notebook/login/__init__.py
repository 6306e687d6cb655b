"""The login form and its plain-text prompt."""
