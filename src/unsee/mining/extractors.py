"""Extractors that lean on a model: noun phrases by spaCy, and a text-generation model that is asked.

Neither needs a list of objects. What a language model names is checked against the caption: what does not occur there
word by word is dropped and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from unsee.errors import InputError
from unsee.metrics.lexicon import Extraction, locate, without_overlaps
from unsee.metrics.words import runs

PIPELINES = ("en_core_web_sm", "en_core_web_md", "en_core_web_lg", "en_core_web_trf")

# Heads of noun phrases that are about the picture or a place in it, and no object.
_ABOUT_PICTURES = """
image picture photo photograph scene view shot side left right top bottom middle center centre front back foreground
background corner edge distance area part variety number group lot day time atmosphere mood
"""
_NOT_OBJECTS = frozenset(_ABOUT_PICTURES.split())

INSTRUCTION = (
    "List every physical object, animal or person that the caption below mentions. Copy each name exactly as the "
    "caption writes it, without articles, and separate the names by commas. Write nothing else; write none when there "
    "is nothing to list.\n\n"
    "Caption: Two children play with a red ball near a park bench, and a dog watches them.\n"
    "Names: children, red ball, park bench, dog\n\n"
    "Caption: {caption}\n"
    "Names:"
)
_WORDS = 150  # of a caption asked about at once; a longer one is asked in pieces
_NAMES = 128  # tokens that an answer may take

_SEPARATOR = re.compile(r"[,;\n]+")
_AROUND = " \t.:!?'\"`*-\N{BULLET}()[]"


class NounPhraseExtractor:
    """Noun phrases by a spaCy pipeline, without their articles.

    Args:
        pipeline: a loaded pipeline that can tell noun chunks.
    """

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def extract(self, captions: Sequence[str]) -> list[Extraction]:
        """The phrases of each caption; pronouns and words about the picture itself are none."""
        documents = self._pipeline.pipe(captions)
        return [
            Extraction(without_overlaps(caption, self._places(document)))
            for caption, document in zip(captions, documents, strict=True)
        ]

    @staticmethod
    def _places(document: Any) -> Iterator[tuple[int, int]]:
        for chunk in document.noun_chunks:
            if chunk.root.pos_ in ("PRON", "PUNCT", "SYM", "SPACE") or chunk.root.lemma_.lower() in _NOT_OBJECTS:
                continue
            tokens = list(chunk)
            while tokens and tokens[0].pos_ in ("DET", "PRON", "PUNCT", "SPACE"):
                tokens = tokens[1:]
            if tokens:
                yield tokens[0].idx, tokens[-1].idx + len(tokens[-1].text)


def noun_phrases(name: str | None = None) -> NounPhraseExtractor:
    """The extractor of an installed pipeline.

    Args:
        name: of the pipeline; the first installed one of `PIPELINES` when not given.

    Raises:
        InputError: spaCy or the pipeline is not installed.
    """
    try:
        import spacy
    except ImportError as error:
        raise InputError("extractor spacy: spaCy is not installed; pip install 'unsee[spacy]'") from error
    name = name or next((known for known in PIPELINES if spacy.util.is_package(known)), PIPELINES[0])
    try:
        return NounPhraseExtractor(spacy.load(name))
    except (OSError, ImportError) as error:
        raise InputError(
            f"extractor spacy: no pipeline {name}; install it with: python -m spacy download {name}"
        ) from error


class LanguageModelExtractor:
    """Asks a text-generation model for the objects of a caption, greedily and in batches.

    Args:
        model: a causal language model in evaluation mode.
        tokenizer: its tokenizer; where that has a chat template, the question is put as a user's turn.
        batch_size: questions asked at once.
    """

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 16) -> None:
        self._model, self._tokenizer, self._batch_size = model, tokenizer, batch_size
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token

    def extract(self, captions: Sequence[str]) -> list[Extraction]:
        """The phrases of each caption."""
        questions = [(place, piece) for place, caption in enumerate(captions) for piece in _pieces(caption)]
        named: list[list[str]] = [[] for _ in captions]
        for start in range(0, len(questions), self._batch_size):
            asked = questions[start : start + self._batch_size]
            for (place, _), answer in zip(asked, self._ask([piece for _, piece in asked]), strict=True):
                named[place] += listed(answer)
        return [locate(caption, names) for caption, names in zip(captions, named, strict=True)]

    def _ask(self, pieces: Sequence[str]) -> list[str]:
        import torch
        from transformers import GenerationConfig

        prompts = [self._prompt(INSTRUCTION.replace("{caption}", piece)) for piece in pieces]
        special = not getattr(self._tokenizer, "chat_template", None)
        inputs = self._tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=special)
        inputs = {k: v.to(next(self._model.parameters()).device) for k, v in inputs.items() if k in _INPUTS}
        ends = getattr(self._model.generation_config, "eos_token_id", None) or self._tokenizer.eos_token_id
        config = GenerationConfig(
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,  # a checkpoint's own would forbid to copy from the caption
            max_new_tokens=_NAMES,
            pad_token_id=self._tokenizer.pad_token_id,
            eos_token_id=ends,
        )
        with torch.inference_mode():
            tokens = self._model.generate(**inputs, generation_config=config)
        new_tokens = tokens[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = self._tokenizer.batch_decode(new_tokens, skip_special_tokens=True)
        stops = set(ends if isinstance(ends, list) else [ends])
        cut = [stops.isdisjoint(row) for row in new_tokens.tolist()]
        return [_whole_names(text) if is_cut else text for text, is_cut in zip(texts, cut, strict=True)]

    def _prompt(self, question: str) -> str:
        if not getattr(self._tokenizer, "chat_template", None):
            return question
        turns = [{"role": "user", "content": question}]
        return str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


_INPUTS = ("input_ids", "attention_mask")


def check_language_model(source: str) -> None:
    """InputError for what `language_model` could not load, as far as it can be told without the weights."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    from unsee.vlm.pretrained import config_of, tokenizer_of

    config = config_of(source)
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise InputError(f"{source}: {config.model_type!r} does not generate text; give a model such as Llama or Qwen")
    tokenizer_of(source)


def language_model(source: str, batch_size: int = 16, device: Any = None) -> LanguageModelExtractor:
    """The extractor of a text-generation model.

    Args:
        source: folder or hub id.
        batch_size: questions asked at once.
        device: defaults to the accelerator when there is one.

    Raises:
        InputError: there is no such model, or it does not generate text.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from unsee.vlm.pretrained import pretrained, this_device, tokenizer_of

    model = pretrained(AutoModelForCausalLM, source, "weights", use_safetensors=True, dtype=torch.float32)
    tokenizer = tokenizer_of(source)
    return LanguageModelExtractor(model.eval().to(device or this_device()), tokenizer, batch_size)


def listed(said: str) -> list[str]:
    """The names in an answer: what stands between commas, semicolons or line breaks, without marks around it.

    An answer may go on with a next question of its own making; what follows an empty line is not read.
    """
    answer = said.strip().split("\n\n")[0]
    names = (re.sub(r"^\s*\d+[.)]\s*", "", part).strip(_AROUND) for part in _SEPARATOR.split(answer))
    return [name for name in names if name and name.lower() != "none"]


def _whole_names(answer: str) -> str:
    """An answer that was cut, without its last name, of which half may be missing."""
    if "\n\n" in answer.strip():
        return answer  # the list was at its end before
    last = max((match.start() for match in _SEPARATOR.finditer(answer)), default=0)
    return answer[:last]


def _pieces(caption: str) -> Iterator[str]:
    """The caption in pieces of up to `_WORDS` words, white space as single blanks."""
    text = " ".join(caption.split())
    places = runs(text)
    for first in range(0, len(places), _WORDS):
        piece = places[first : first + _WORDS]
        yield text[piece[0][0] : piece[-1][1]]
