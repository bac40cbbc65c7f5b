"""Seven answers to one question: one pass over image and question for all of them, against a pass for each.

    python performance/scoring.py [--json]

"tokens" is the ratio of tokens that pass through the decoder, which is what the ratio of seconds can come to.
"""

from __future__ import annotations

from typing import Any

import measuring

from unsee.vlm.scoring import Scorer

CANDIDATES = 7
TARGETS = {(64, 8): 4.0, (576, 8): 5.0}  # by image tokens and answer tokens


def main() -> None:
    """Compare both ways at 64 and 576 image tokens, with answers of a few words and of a whole caption."""
    options = measuring.arguments(__doc__, rows=2, repeats=3, question_tokens=24)
    rows = [
        compare(image_tokens, answer_tokens, options)
        for image_tokens, answer_tokens in ((64, 8), (64, 32), (576, 8), (576, 32))
    ]
    measuring.show("shared-prefix scoring against one by one, seven answers a question", rows, options.json)


def compare(image_tokens: int, answer_tokens: int, options: Any) -> dict[str, Any]:
    """Seconds of both ways for one batch, their ratio, and how far their log-probabilities differ."""
    # Narrower, copies of the past cost more beside multiplications than in models of billions of weights.
    loaded = measuring.llava(image_tokens, width=512, layers=4)
    size = round(image_tokens**0.5) * measuring.PATCH
    asked = measuring.examples(
        options.rows,
        question=options.question_tokens,
        answer=answer_tokens - 1,
        perturbed=CANDIDATES - 1,
        image_size=size,
    )
    answers = [[example.answer, *example.perturbed_answers] for example in asked]
    shared, alone = Scorer(loaded.model, loaded.encoder), Scorer(loaded.model, loaded.encoder, share=False)
    found, truth = shared(asked, answers), alone(asked, answers)
    assert shared.shares, "the past of this model cannot be shared"
    off = max(
        abs(one.log_prob - other.log_prob)
        for row, true in zip(found, truth, strict=True)
        for one, other in zip(row, true, strict=True)
    )
    seconds = measuring.medians(
        {"shared": lambda: shared(asked, answers), "one by one": lambda: alone(asked, answers)}, options.repeats
    )
    prompt = len(loaded.encoder.encode(asked[0]).prompt_ids)
    return {
        "image tokens": image_tokens,
        "prompt": prompt,
        "answer": answer_tokens,
        "one by one s": seconds["one by one"],
        "shared s": seconds["shared"],
        "ratio": seconds["one by one"] / seconds["shared"],
        "tokens": CANDIDATES * (prompt + answer_tokens) / (prompt + CANDIDATES * (answer_tokens - 1)),
        "target": TARGETS.get((image_tokens, answer_tokens), "-"),
        "largest difference": off,
    }


if __name__ == "__main__":
    main()
