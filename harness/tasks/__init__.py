"""Rows to samples to messages."""
