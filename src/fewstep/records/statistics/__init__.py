"""How sure a mean is, over tasks and over seeds."""
