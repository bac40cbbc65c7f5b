"""Unlearning itself: the trainer, the saliency mask, and the guard that watches over held-out rows."""
