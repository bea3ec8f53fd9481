"""How one task is learned, and how well."""
