"""What a table costs by each route, and the route taken."""
