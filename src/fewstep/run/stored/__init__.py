"""What is kept of a training: checkpoints, shipped initializations, and whose data they are of."""
