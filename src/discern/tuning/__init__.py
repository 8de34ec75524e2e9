"""Searching for settings: what may vary, and the study that remembers what was tried."""
