"""Runs in, a static site and the tables and figures of a paper out."""
