"""From a bundle to one file for other runtimes, with preprocessing and calibration inside, and proof that it answers alike."""
