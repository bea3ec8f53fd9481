"""Datasets of images: files, pixels, classes and splits."""
