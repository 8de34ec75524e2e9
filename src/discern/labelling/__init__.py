"""Labels for pictures that have none: what to ask next, what is answered, and what may be promised of it."""
