"""Pure tensor functions: log-probabilities in, per-sample losses out."""
