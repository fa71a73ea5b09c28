"""Checkpoints to and from the Hub: what to pull and what to push, the model card, and what a source holds."""
