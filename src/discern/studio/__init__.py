"""One page for the whole way from a folder of pictures to a classifier."""
