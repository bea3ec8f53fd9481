"""Where scalars and tables go: CSV and Weights & Biases."""
