"""Which pixels decided: maps of the evidence for a class, and where they lie on the picture."""
