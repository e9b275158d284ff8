"""Completion to verdict: render, ask, read, weigh, combine; and how far a judge can be trusted."""
