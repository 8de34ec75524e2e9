"""From every kind of source to one `ImageTable`."""
