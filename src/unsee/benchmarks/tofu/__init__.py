"""TOFU: questions in words about fictitious authors (arXiv 2401.06121)."""
