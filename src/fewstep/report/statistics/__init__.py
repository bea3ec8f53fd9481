"""How sure a figure is, and how much one training is better than another."""
