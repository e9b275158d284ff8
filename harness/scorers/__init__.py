"""Completion -> score: what an answer is worth, computed without a model under test."""
