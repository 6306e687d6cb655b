"""Zoho Accounts: clients, consent, codes, tokens, and the pages a person sees."""
