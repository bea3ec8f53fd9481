"""Results held against the paper's own tables and figures."""
