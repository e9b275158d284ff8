"""A paper's tables, figures and words, made of stored runs by `harness report`."""
