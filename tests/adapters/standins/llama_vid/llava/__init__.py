"""Stand-in of the LLaVA that LLaMA-VID builds on."""
