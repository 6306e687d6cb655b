"""How bytes travel: the gate, the login at Zoho Accounts, data centres, credits, masked secrets.

requests and requests-oauthlib live here and nowhere else.
"""
