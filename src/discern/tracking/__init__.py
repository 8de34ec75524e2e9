"""Sends a run to where people keep their results: TensorBoard, MLflow, Weights & Biases, or a tracker of one's own."""
