"""Which way of training gives how much, on several sets, against what a user would run otherwise."""
