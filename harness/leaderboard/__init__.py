"""Runs to what people read: a static site, a report, and a look at what is still running."""
