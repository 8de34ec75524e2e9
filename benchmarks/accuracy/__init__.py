"""Accuracy and time of our training on several sets, compared with what a user would use instead."""
