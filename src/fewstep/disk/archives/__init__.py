"""Zip and tar files, read in place."""
