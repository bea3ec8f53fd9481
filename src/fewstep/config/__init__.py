"""From words to a checked configuration. Nothing here imports torch at the top."""
