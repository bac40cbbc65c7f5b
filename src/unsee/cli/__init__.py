"""Groups of commands that the command line mounts: each parses, calls one function and prints."""
