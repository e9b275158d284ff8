"""A plan in, a run out."""
