"""Whether what a model was made to forget is gone, or hides behind the plain question."""
