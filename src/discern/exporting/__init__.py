"""From a bundle to one file for other runtimes, with preprocessing inside, and proof that it answers alike."""
