"""The view of a live feed: a static page and a widget that repaints it."""
