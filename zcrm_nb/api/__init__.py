"""Zoho CRM's APIs, in rooms: how to ask, how to page, how to know what comes back."""
