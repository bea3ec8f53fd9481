"""One run on Lightning: its parts, its preflight, its training and its test."""
