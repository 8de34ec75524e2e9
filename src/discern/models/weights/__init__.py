"""Pretrained weights: where they are published, and how they get into a network."""
