"""Classes of examples: which are in which split, and tasks drawn from them."""
