"""The client runs in an environment of its own; this one cannot import what it needs."""

collect_ignore = ["client.py", "independent/zoho_client.py"]
