"""Stand-in of LLaMA-VID's package."""
