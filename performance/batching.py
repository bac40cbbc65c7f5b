"""Measuring a probe in batches against one example at a time: answers, likelihoods and all.

python performance/batching.py [--json]

16 image tokens are those of the embedded world. The target is for both; on one thread of a processor the longer prompt
falls short of it, because reading prompts is limited by multiplications, which a batch does not make fewer. Words that
are generated one by one are what gains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import measuring

from unsee.data import Probe
from unsee.evaluation.measure import measure
from unsee.evaluation.records import Record

TARGET = 5.0


def main() -> None:
    """Compare at 16 and 64 image tokens."""
    options = measuring.arguments(__doc__, rows=32, repeats=2, new_tokens=24)
    rows = [compare(image_tokens, options) for image_tokens in (16, 64)]
    measuring.show("batched evaluation against batch 1", rows, options.json)


def compare(image_tokens: int, options: Any) -> dict[str, Any]:
    """Seconds of both for one probe; a random model goes on talking to the last token, in both."""
    loaded = measuring.llava(image_tokens, layers=4)
    size = round(image_tokens**0.5) * measuring.PATCH
    probe = Probe("rows", measuring.examples(options.rows, image_size=size))
    ways: dict[str, Callable[[], list[Record]]] = {
        "batch 1": lambda: measure(loaded, probe, 1, options.new_tokens),
        f"batch {options.rows}": lambda: measure(loaded, probe, options.rows, options.new_tokens),
    }
    alone, batched = (way() for way in ways.values())
    assert [row.said for row in alone] == [row.said for row in batched], "the batch changes what is said"
    seconds = measuring.medians(ways, options.repeats, warm_up=0)
    one, many = seconds.values()
    return {
        "image tokens": image_tokens,
        "examples": options.rows,
        "new tokens": options.new_tokens,
        **{f"{name} s": value for name, value in seconds.items()},
        "ratio": one / many,
        "target": f">= {TARGET}",
    }


if __name__ == "__main__":
    main()
