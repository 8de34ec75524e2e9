"""Settings of a run: a recipe plus overrides, checked once when they are loaded."""
