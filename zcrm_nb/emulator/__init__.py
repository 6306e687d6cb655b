"""Zoho CRM on your desk: a stateful, local double of API V8."""
