"""Which pixels decided: maps of the evidence for a class, and their place on the picture."""
