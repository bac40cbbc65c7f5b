"""MLLMU-Bench: profiles of fictitious and of well-known people (arXiv 2410.22108)."""
