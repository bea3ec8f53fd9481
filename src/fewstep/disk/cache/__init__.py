"""Decoded datasets on disk, each entry believed only while it is what it says."""
