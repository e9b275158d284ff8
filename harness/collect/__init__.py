"""Files to specs to cells."""
