"""The tables of a run and what they mean: stored whole or not at all, compared with intervals."""
