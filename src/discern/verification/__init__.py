"""Whether files are those that were written, and whether published numbers follow from the predictions."""
