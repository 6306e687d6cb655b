"""Zoho CRM's APIs, one module each: how to ask, how to page, how to know what comes back."""
