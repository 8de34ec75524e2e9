"""Writes the parts of the reference that are taken from the code, as Markdown that the pages include."""
