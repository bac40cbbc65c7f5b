"""Pure tensor functions: log-probabilities in, per-sample losses out."""

from unsee.losses.divergence import certainty, kl_divergence, self_distillation
from unsee.losses.likelihood import answer_mean, cross_entropy, gradient_ascent
from unsee.losses.preference import dpo, npo, npo_over_vocabulary, simnpo
from unsee.losses.sparsity import l1_of_factors, l1_of_product
from unsee.losses.steering import pooled_steering, steering

__all__ = [
    "answer_mean", "certainty", "cross_entropy", "dpo", "gradient_ascent", "kl_divergence", "l1_of_factors",
    "l1_of_product", "npo", "npo_over_vocabulary", "pooled_steering", "self_distillation", "simnpo", "steering",
]  # fmt: skip
