"""Stand-in of Mobile-VideoGPT's package."""
