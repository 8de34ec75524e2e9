"""Compares discern with what one would use instead: whole commands, run alternately; ratios of medians."""
