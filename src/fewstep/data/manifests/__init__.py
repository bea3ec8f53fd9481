"""Tasks that are written down: which drawings are in which, for anybody's code."""
