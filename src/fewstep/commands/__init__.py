"""The front doors, one module a command."""
