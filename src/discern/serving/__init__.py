"""A trained classifier over HTTP: answers as JSON, and a page to look at them."""
