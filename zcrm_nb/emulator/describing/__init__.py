"""The settings API: modules, fields, layouts, views, users."""
