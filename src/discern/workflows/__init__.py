"""One verb a file, each reading like a paragraph; the command line and the Python API both call them."""
