"""What was decoded or computed once, kept for later."""
