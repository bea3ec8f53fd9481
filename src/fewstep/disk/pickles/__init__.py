"""Pickles of arrays, read without running anything."""
