"""What training and prediction share: the loop, the forward pass, the training step, and features."""
