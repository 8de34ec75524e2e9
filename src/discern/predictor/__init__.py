"""A trained classifier: its bundle, its promises, its answers."""
