"""The sections of the settings, one a file: each setting with its type, its default and its description."""
