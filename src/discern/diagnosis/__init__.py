"""What `discern doctor` finds out: the facts of an installation and its machine, and what needs attention."""
