"""The arguments of a training: those of `transformers`, with defaults for unlearning."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

from transformers import TrainingArguments


@dataclass
class UnlearnConfig(TrainingArguments):
    """`transformers.TrainingArguments` with defaults for unlearning, and what saliency needs.

    `num_train_epochs` counts passes over the forget set; the retain set is walked beside it at the same pace.
    """

    learning_rate: float = field(default=1e-5, metadata={"help": "Initial learning rate of AdamW."})
    num_train_epochs: float = field(default=5.0, metadata={"help": "Passes over the forget set."})
    least_steps: int = field(default=0, metadata={"help": "Optimizer steps at least, where epochs make fewer."})
    lr_scheduler_type: str = field(default="constant", metadata={"help": "Learning rate schedule."})
    weight_decay: float = field(default=0.0, metadata={"help": "0: decay would move weights that a mask protects."})
    logging_steps: float = field(default=1, metadata={"help": "Log the terms of the objective every so many steps."})
    save_steps: float = field(default=50, metadata={"help": "Write a checkpoint every so many steps."})
    save_total_limit: int | None = field(default=2, metadata={"help": "How many checkpoints to keep."})
    remove_unused_columns: bool = field(default=False, metadata={"help": "Must stay False."})
    saliency_batch_size: int = field(
        default=8, metadata={"help": "Examples per squared gradient; 1 is the per-example Fisher information."}
    )
    saliency_file: str | None = field(
        default=None, metadata={"help": "Where the mask is kept, and read from when it is there already."}
    )
    reference_file: str | None = field(
        default=None, metadata={"help": "Where the reference's log-probabilities are kept, when a method needs them."}
    )
    prepared_file: str | None = field(
        default=None, metadata={"help": "Where the tensors are kept that a method prepares before the first step."}
    )
    l1_weight: float = field(default=0.0, metadata={"help": "Weight of the l1 norm of LoRA adapters; 0: none."})
    l1_of: str = field(default="factors", metadata={"help": "factors: sum|A| + sum|B|; product: sum|scaling * B A|."})


def use_one_gpu(args: UnlearnConfig) -> None:
    """Keep transformers from splitting batches over the GPUs of one process: copies of a model have no gates."""
    if args.n_gpu > 1:
        warnings.warn(
            f"of {args.n_gpu} GPUs one is used; run `accelerate launch --num_processes {args.n_gpu}` to use all",
            stacklevel=3,
        )
        args._n_gpu = 1
