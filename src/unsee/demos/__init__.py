"""The demos: a person, and hallucinated objects."""
