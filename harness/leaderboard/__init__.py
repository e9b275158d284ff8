"""Stored runs to what people read: the site, charts, and a paper's tables and figures."""
