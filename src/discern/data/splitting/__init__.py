"""Which picture is for training, validation or test, and which rows are dropped, relabelled or grouped."""
