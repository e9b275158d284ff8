"""A recipe in, a model card out."""
