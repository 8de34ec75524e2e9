"""Finds what is wrong with labelled pictures before a classifier is trained on them."""
