"""Predictions, and what is computed from them: numbers with intervals, tables, calibration and comparisons."""
