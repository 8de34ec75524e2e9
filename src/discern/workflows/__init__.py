"""One file per command; the command line and the Python API both call them."""
