"""Optimise a fine-tuning script: the same weights in less time."""
