"""OAuth 2.0 with Zoho: flows, tokens, scopes, data centres, and the encrypted vault."""
