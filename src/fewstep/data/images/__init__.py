"""Pictures: their files, decoded and prepared."""
