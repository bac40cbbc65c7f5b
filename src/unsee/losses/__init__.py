"""Pure tensor functions: log-probabilities in, per-sample losses out."""

from unsee.losses.divergence import kl_divergence
from unsee.losses.likelihood import cross_entropy, gradient_ascent
from unsee.losses.preference import npo

__all__ = ["cross_entropy", "gradient_ascent", "kl_divergence", "npo"]
