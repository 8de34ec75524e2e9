"""The same results in less time: transformations of networks, behind one switch."""
