"""CLEAR: 200 fictitious people, with photographs and in words (arXiv 2410.18057)."""
