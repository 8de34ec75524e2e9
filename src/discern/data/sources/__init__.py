"""Whatever holds pictures -> `ImageTable`."""
