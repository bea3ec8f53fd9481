"""The pictures of a run, and what all pictures share."""
