"""Pretrained networks whose features are used as they are, with a small head for a task."""
