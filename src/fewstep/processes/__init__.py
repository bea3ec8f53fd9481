"""Signals, children, and how processes end."""
