"""Pictures and arrays that are decoded or computed once and kept for later."""
