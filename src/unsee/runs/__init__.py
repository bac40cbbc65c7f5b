"""One unlearning from settings to a folder that holds everything about it."""
