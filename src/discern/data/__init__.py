"""Labelled pictures in, batches out: sources, split, decoding, preprocessing, augmentation and loaders."""
