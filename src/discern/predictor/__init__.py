"""A trained classifier: its bundle, its calibration, and its answers."""
