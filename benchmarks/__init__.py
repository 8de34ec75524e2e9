"""Ours against what one would run otherwise: alternating runs, ratios of medians."""
