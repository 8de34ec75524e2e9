"""What is wrong with labelled pictures, before it costs a training run."""
