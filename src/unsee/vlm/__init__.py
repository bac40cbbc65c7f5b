"""Everything that touches a transformers model."""

from unsee.types import PARTS, Part, check_parts
from unsee.vlm.batch import IGNORED, Batch
from unsee.vlm.encoding import Encoder
from unsee.vlm.generate import Said, answers, room_for
from unsee.vlm.load import LoadedModel, LoraOptions, load, outline
from unsee.vlm.parts import part_of_parameters, trainable_per_part
from unsee.vlm.policy import AnswerLogits, Policy, TokenLogProbs, answer_scores

__all__ = [
    "IGNORED", "PARTS", "AnswerLogits", "Batch", "Encoder", "LoadedModel", "LoraOptions", "Part", "Policy",
    "Said", "TokenLogProbs", "answer_scores", "answers", "check_parts", "load", "outline", "part_of_parameters",
    "room_for", "trainable_per_part",
]  # fmt: skip
