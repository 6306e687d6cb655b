"""What the settings API tells: modules, fields, layouts, views, users."""
