"""Which pictures show the same photo."""
