"""Figures from arrays and tables; each function returns a Figure of its own, outside pyplot's global state."""
