"""Many trainings in child processes: comparisons of ways of training, and searches for better settings."""
