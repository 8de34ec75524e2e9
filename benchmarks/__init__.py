"""Ours against what one would run otherwise: whole commands in turn, ratios of medians."""
