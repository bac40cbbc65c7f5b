"""Text as a tokenizer reads it: whole, with one start token, and without what is no word.

- What a tokenizer's files say about cutting and padding never applies: a row is read whole, and rows are padded when
  they are joined.
- The start token stands once in front of a prompt, whether the template writes it, the tokenizer adds it, or both.
- A special token is no word: a question or an answer that holds one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from unsee.errors import InputError

_MEDIA = ("image", "video")
_SETTINGS = {
    "truncation": ("truncation", "truncation_strategy", "stride"),
    "padding": ("padding", "pad_to_multiple_of", "pad_token_type_id"),
    "a length": ("max_length",),
}
WHOLE: dict[str, Any] = {"padding": False, "truncation": False}  # how every text is read


# Tokens by which one family or another of vision-language models tells turns, pictures and ends from words.
_CONTROL = re.compile(
    r"<\|[^\s<>|]{1,64}\|>"  # ChatML, Llama 3, Qwen-VL, Phi
    r"|</?(?:s|img|think)>|<(?:pad|unk|bos|eos|mask|image|video|audio)>"
    r"|<(?:start|end)_of_(?:turn|image|utterance)>|<image_soft_token>"  # Gemma 3, Idefics3
    r"|<fake_token_around_image>|<global-img>|<row_\d+_col_\d+>|<IMG_CONTEXT>"  # Idefics3, SmolVLM, InternVL
)


class Start(NamedTuple):
    """How the start token gets in front of a prompt.

    Attributes:
        written: what to put in front of the template's text; empty where template or tokenizer do that.
        added: whether the tokenizer is to add its own special tokens.
        behind: how many tokens it then adds at the end, which are no part of a prompt.
    """

    written: str
    added: bool
    behind: int


class Tokens:
    """A processor's tokenizer.

    Args:
        processor: a transformers processor.
        end_of_turn_ids: the tokens on which the model's generation stops.
        vocabulary: how many tokens the model has a vector for; None where nobody said.

    Raises:
        InputError: when there is no tokenizer, when it has no end of sequence, or splits special tokens.

    Attributes:
        notices: what is stored with the tokenizer and does not apply, one line each.
    """

    def __init__(self, processor: Any, end_of_turn_ids: Iterable[int], vocabulary: int | None = None) -> None:
        self._vocabulary = vocabulary
        self.tokenizer: Any = getattr(processor, "tokenizer", None)
        if self.tokenizer is None:
            raise InputError(
                f"{type(processor).__name__} has no tokenizer: give the processor of a vision-language model"
            )
        if getattr(self.tokenizer, "split_special_tokens", False):  # the processor has lost its image token by it
            raise InputError(
                "the tokenizer splits special tokens into words: remove split_special_tokens from tokenizer_config.json"
            )
        self.notices = tuple(_forget_settings(self.tokenizer))
        eos = self.tokenizer.eos_token_id
        if eos is None:
            raise InputError("the tokenizer has no end-of-sequence token: set eos_token in tokenizer_config.json")
        self.eos_token_id: int = int(eos)
        self.end_of_turn_ids = frozenset(end_of_turn_ids) | {self.eos_token_id}
        pad = self.tokenizer.pad_token_id
        self.pad_token_id: int = int(pad) if pad is not None else self.eos_token_id
        # What templates write and what it is replaced by need not be the same token (Gemma 3).
        named = [getattr(owner, f"{kind}_token", None) for owner in (processor, self.tokenizer) for kind in _MEDIA]
        self.placeholders = tuple(dict.fromkeys(token for token in named if token))
        self.special = _any_of({*self.placeholders, *_special_tokens(self.tokenizer)})
        unknown = self.tokenizer.unk_token_id  # what stands for strange characters is no control over the model
        own = {*getattr(self.tokenizer, "all_special_ids", ()), *self.end_of_turn_ids} - {unknown}
        self._control_ids = frozenset(own)

    @property
    def ends(self) -> tuple[str, ...]:
        """The tokens that end a turn, as text."""
        return tuple(filter(None, (self.tokenizer.decode([token]) for token in sorted(self.end_of_turn_ids))))

    def ids(self, text: str, special: bool = False) -> list[int]:
        """The tokens of a whole text, those that the tokenizer adds by itself left out unless asked for.

        Raises:
            InputError: when the model does not know one of them.
        """
        tokens: list[int] = self.tokenizer(text, add_special_tokens=special, **WHOLE)["input_ids"]
        self.check_known(tokens)
        return tokens

    def check_known(self, ids: Iterable[int]) -> None:
        """InputError for a token that the model has no vector for."""
        largest = max(ids, default=0)
        if self._vocabulary is not None and largest >= self._vocabulary:
            raise InputError(
                f"token {self.tokenizer.decode([largest])!r} has the number {largest} and the model has vectors for "
                f"{self._vocabulary}; resize its embeddings, or use the tokenizer that belongs to it"
            )

    def until_end_of_turn(self, ids: list[int]) -> list[int]:
        """Tokens up to and with the first that ends a turn, which is added where none does."""
        for place, token in enumerate(ids):
            if token in self.end_of_turn_ids:
                return ids[: place + 1]
        return [*ids, self.eos_token_id]

    def special_in(self, text: str) -> str | None:
        """The first token in a text that this model, or another, would not read as words; None without any.

        `<image>`, `</s>`, `<|im_end|>`: a question or an answer means the same to every model, so what is no word to
        one of them is refused for all.
        """
        match = self.special.search(text) or _CONTROL.search(text)
        if match:
            return match.group()
        control = next((token for token in self.ids(text) if token in self._control_ids), None)
        return None if control is None else self.tokenizer.decode([control])

    def start(self, prompt: str) -> Start:
        """How prompts that look like this one get their start token.

        A tokenizer that names a start token and does not add it gets it too, unless it says so (`add_bos_token: false`)
        or the token is its end or its padding as well, as in models that have no use for one.

        Args:
            prompt: as the chat template writes it.
        """
        token, own = self.tokenizer.bos_token, self.tokenizer.bos_token_id
        if token and prompt.lstrip().startswith(token):
            return Start("", added=False, behind=0)
        plain, whole = self.ids(prompt), self.ids(prompt, special=True)
        extra = len(whole) - len(plain)
        front = next((n for n in range(extra + 1) if whole[n : n + len(plain)] == plain), extra)
        wanted = bool(token) and own not in (self.eos_token_id, self.tokenizer.pad_token_id)
        wanted = wanted and getattr(self.tokenizer, "init_kwargs", {}).get("add_bos_token") is not False
        if (wanted and own not in whole[:front]) or whole[:front].count(own) > 1:
            return Start(token, added=False, behind=0)
        return Start("", added=True, behind=extra - front)


def _forget_settings(tokenizer: Any) -> Iterator[str]:
    """Drop what a tokenizer's files ask for beside its words: processors follow that without a word."""
    options: dict[str, Any] = getattr(tokenizer, "init_kwargs", {})
    for name, keys in _SETTINGS.items():
        stored = [options.pop(key, None) for key in keys]
        if any(stored):
            yield f"tokenizer: its files ask for {name}; that is passed over, rows are read whole"


def _special_tokens(tokenizer: Any) -> Iterator[str]:
    """What a tokenizer takes out of a text before it looks at words."""
    yield from tokenizer.all_special_tokens
    for token in getattr(tokenizer, "added_tokens_decoder", {}).values():
        if token.special:
            yield token.content


def _any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """Finds the first of some tokens, and the longest where several start."""
    return re.compile("|".join(map(re.escape, sorted(filter(None, tokens), key=len, reverse=True))))
