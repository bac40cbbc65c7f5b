"""Models that say what a test tells them to."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from unsee.vlm import LoadedModel


class _Script:
    """A hook on a model's forward pass that puts words into its mouth while it generates."""

    def __init__(self, loaded: LoadedModel, lines: dict[str, str], afterwards: str) -> None:
        self.tokenizer, self.end = loaded.encoder.tokenizer, loaded.encoder.eos_token_id
        self.lines, self.filler = lines, self.tokenizer(afterwards)["input_ids"][0]
        self.rows: list[list[int]] = []
        self.said = 0

    def __call__(self, module: Any, arguments: Any, inputs: dict[str, Any], output: Any) -> None:
        if not inputs.get("return_dict"):  # not generating: what it thinks of an answer stays its own
            return
        ids: Tensor = inputs["input_ids"]
        if ids.shape[1] > 1:
            self.rows, self.said = [self._line(prompt) for prompt in self.tokenizer.batch_decode(ids)], 0
        else:
            self.said += 1
        for row, line in enumerate(self.rows):
            said = [*line, self.end][self.said] if self.said <= len(line) else self.filler
            output.logits[row, -1] = 0.0
            output.logits[row, -1, said] = 100.0

    def _line(self, prompt: str) -> list[int]:
        question = next(question for question in self.lines if question in prompt)
        ids: list[int] = self.tokenizer(self.lines[question])["input_ids"]
        return ids


def script(loaded: LoadedModel, lines: dict[str, str], afterwards: str = "Lima") -> None:
    """Make a model say, to each question, its line and the end of turn, and then `afterwards` for ever."""
    loaded.model.register_forward_hook(_Script(loaded, lines, afterwards), with_kwargs=True)
