"""Tables of the Omniglot challenge and of tasks within an alphabet, from committed results."""
