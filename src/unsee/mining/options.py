"""What can be said about a mining."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from unsee.errors import InputError, did_you_mean
from unsee.metrics.lexicon import COCO
from unsee.mining.captions import PROMPT, Decoding
from unsee.mining.scorer import TEMPLATE, check_aggregation
from unsee.mining.selection import Conflict, Thresholds, checked_conflict
from unsee.mining.windows import Grid
from unsee.vlm.load import DTYPES

EXTRACTORS = ("lexicon", "spacy", "llm")
SHARD_SIZE = 64

# What a run leaves in its folder.
_OWN = (
    *("captions", "phrases", "relevance", "relevance2", "spans.jsonl", "summary.json", "skipped.jsonl"),
    *("thresholds.json", "thresholds.html"),
)


@dataclass(frozen=True)
class Mining:
    """Everything that determines what is mined.

    Attributes:
        images: folder of pictures; those in folders below it count.
        out: folder of the run.
        scorer: folder or hub id of a dual encoder or an open-vocabulary detector.
        model: folder or hub id of the vision-language model that captions; not needed with `captions`.
        captions: file of captions brought along.
        prompt: what the model is asked; also the question of captions brought without one.
        decoding: of captions.
        extractor: one of `EXTRACTORS`.
        lexicons: word lists of the lexicon extractor.
        extractor_model: spaCy pipeline or language model of the other extractors.
        second_scorer: another one that has to agree.
        aggregator: from windows to a phrase; "max" or "patch_top4".
        grid: of windows.
        template: the text for a phrase.
        thresholds: what scores mean; the published ones for 100 * cosine when not given.
        second_thresholds: the same for the second scorer.
        conflict: policy for sub-sentences with a real and a hallucinated object.
        batch_size: captions per forward pass.
        windows: windows per forward pass.
        shard_size: rows per file.
        limit: mine only the first pictures.
        dtype: of the weights of the model and the scorers.
        trust_remote_code: run code that comes with the model.
    """

    images: Path
    out: Path
    scorer: str
    model: str | None = None
    captions: Path | None = None
    prompt: str = PROMPT
    decoding: Decoding = field(default_factory=Decoding)
    extractor: str = "lexicon"
    lexicons: tuple[str, ...] = (COCO,)
    extractor_model: str | None = None
    second_scorer: str | None = None
    aggregator: str = "max"
    grid: Grid = field(default_factory=Grid)
    template: str = TEMPLATE
    thresholds: Thresholds | None = None
    second_thresholds: Thresholds | None = None
    conflict: Conflict = "narrow"
    batch_size: int = 16
    windows: int = 128
    shard_size: int = SHARD_SIZE
    limit: int | None = None
    dtype: str = "float32"
    trust_remote_code: bool = False

    def check(self) -> None:
        """InputError for what is wrong before anything is loaded."""
        if self.model is None and self.captions is None:
            raise InputError("nobody to caption: give --model, or --captions with captions of your own")
        if self.model is not None and self.captions is not None:
            raise InputError("--model and --captions: one of them; captions that are there need no model")
        if self.extractor not in EXTRACTORS:
            hint = did_you_mean(self.extractor, EXTRACTORS)
            raise InputError(f"extractor {self.extractor!r} is unknown{hint}; choose one of {', '.join(EXTRACTORS)}")
        if self.extractor == "llm" and self.extractor_model is None:
            raise InputError("extractor llm: give --extractor-model, the folder of a text-generation model")
        checked_conflict(self.conflict)
        check_aggregation(self.aggregator, self.template)
        if self.dtype not in DTYPES:
            raise InputError(f"dtype {self.dtype!r} is unknown: choose one of {', '.join(DTYPES)}")
        _check_out(self.out)


def _check_out(out: Path) -> None:
    """InputError for a folder that holds something else."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder")
    if not out.is_dir() or (out / "captions" / "stage.json").is_file():
        return
    if any(path.name not in _OWN and not path.name.startswith(".") for path in out.iterdir()):
        raise InputError(f"--out {out} is not empty and holds no mining; give a folder that does not exist yet")
