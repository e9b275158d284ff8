"""Runs to pages: the site that `harness publish` writes, its charts, and a paper's report."""
