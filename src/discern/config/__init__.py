"""Settings of a run: a recipe and key=value overrides, checked once at the door."""
