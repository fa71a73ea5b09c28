"""The page: a module for each of its tabs; markup, style and script are in static."""
