"""Questions about records, as SQL: COQL, search criteria, criteria objects, custom views."""
