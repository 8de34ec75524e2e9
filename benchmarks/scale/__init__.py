"""How seconds and memory grow with the number of pictures."""
