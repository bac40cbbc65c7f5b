"""`unsee evaluate`: ask a model everything in a file, and score what it says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unsee.cli import options
from unsee.cli.output import (
    AsJson,
    amount,
    between,
    console,
    percent,
    places,
    print_json,
    printable,
    shown_metrics,
    table,
)
from unsee.errors import InputError
from unsee.system import limits, processes
from unsee.system.launch import check_launch

if TYPE_CHECKING:
    from unsee.data import Example, Probe
    from unsee.vlm import LoadedModel

EXAMPLES = """Examples:

unsee evaluate --model runs/ada/model --data forget.jsonl

unsee evaluate --model MODEL --data retain.jsonl --limit 100 --dtype bfloat16

unsee evaluate --model MODEL --data forget.jsonl --records said.jsonl

unsee evaluate --model MODEL --data forget.jsonl --attack wording
"""


def evaluate(
    model: Annotated[
        str, typer.Option(help="Folder or hub id of a model, or folder of an adapter.", show_default=False)
    ],
    data: Annotated[
        str,
        typer.Option(
            help="Questions and answers: a .jsonl or .parquet file, a folder, a hub id; FOLDER#SPLIT names a split.",
            show_default=False,
        ),
    ],
    batch_size: Annotated[int, typer.Option(min=1, max=limits.ROWS, help="Rows per forward pass.")] = 32,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=limits.TOKENS,
            help="Answers are cut there.",
            show_default="128, or half more than the longest answer",
        ),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(help="Also write what was said to each row: one JSON object per line.", show_default=False),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only the first rows.", show_default="all")] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE.py:CLASS",
            help="Ask each row again in the ways of this attack, such as wording; repeatable. A row counts where any "
            "try is an exact match; no records are kept of tries. Compare with gold's score under the same attack.",
            show_default=False,
        ),
    ] = None,
    dtype: options.DType = "float32",
    quantize: Annotated[
        str | None, typer.Option(help="Round the weights as they are loaded: 4bit.", show_default=False)
    ] = None,
    trust_remote_code: options.TrustRemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """Ask a model every question of a file and score its answers.

    Rows with paraphrased_answers, perturbed_answers, answer_keywords or choices are scored on those too.

    A low score may be of facts in hiding; --attack looks for them. Gold's score under the same attack is mere guessing.
    """
    how = {"dtype": dtype, "quantize": quantize, "trust_remote_code": trust_remote_code}
    processes.tell_of_spare_devices()
    result = evaluation(model, data, batch_size, max_new_tokens, records, limit, attack or (), **how)
    if not processes.is_main():
        return
    if as_json:
        print_json(result)
    else:
        _show(result, model, records)


def evaluation(
    model: str,
    data: str,
    batch_size: int = 32,
    max_new_tokens: int | None = None,
    records: Path | None = None,
    limit: int | None = None,
    attacks: Sequence[str] = (),
    **loading: Any,
) -> dict[str, Any]:
    """What `unsee evaluate --json` prints; see `unsee.evaluation.measure.summary`, and `unsee.audit.ask.AttackScore`.

    Args:
        model: folder or hub id.
        data: as `unsee.data.load_examples` reads it.
        batch_size: rows per forward pass.
        max_new_tokens: answers are cut there; None leaves room for the expected ones.
        records: a file for one record per row, overwritten.
        limit: ask only the first rows.
        attacks: as `unsee.audit.registry.find` takes them.
        loading: further arguments of `unsee.vlm.load`.

    Raises:
        InputError: when model, data or an attack cannot be used, or the records cannot be written.
    """
    check_launch(sharded=True)
    processes.join()
    with processes.as_one():
        loaded, examples, tries = _ready(model, data, max_new_tokens, records, limit, attacks, loading)
    import torch

    from unsee.audit.ask import under_attack
    from unsee.evaluation.measure import summary
    from unsee.vlm.sharded import to_be_asked

    loaded = to_be_asked(loaded)
    try:
        result = summary(loaded, examples, batch_size, max_new_tokens, records=records)
        under = {name: under_attack(loaded, probes, batch_size, max_new_tokens) for name, probes in tries.items()}
    except torch.OutOfMemoryError as error:
        raise InputError(f"{loaded.device} has too little memory; choose a smaller --batch-size") from error
    if under:
        result["attacks"] = {name: attacked.to_dict() for name, attacked in under.items()}
    training = _training_rows(Path(model))
    return result if training is None else result | _pictures(examples, training)


def _ready(
    model: str,
    data: str,
    max_new_tokens: int | None,
    records: Path | None,
    limit: int | None,
    attacks: Sequence[str],
    loading: dict[str, Any],
) -> tuple[LoadedModel, list[Example], dict[str, list[Probe]]]:
    """The model, the rows, and the tries of each attack; all that was given is checked. As for `evaluation`."""
    if records is not None:
        _check_writable(records, data)
    from unsee.audit.registry import find_all
    from unsee.data import load_examples

    chosen = find_all(attacks)
    examples = load_examples(data, limit=limit)
    from unsee.audit.ask import tries_of
    from unsee.data import Probe
    from unsee.evaluation.measure import check_probe
    from unsee.evaluation.registry import metrics
    from unsee.vlm import load

    metrics()  # a plug-in that does not fit is known now, and not when everything has been asked
    tries = {attack.name: tries_of(attack, examples) for attack in chosen}
    loaded = load(model, parts=(), **loading)
    check_probe(loaded.encoder, Probe("data", examples), data, max_new_tokens)
    for probe in (probe for of_attack in tries.values() for probe in of_attack):
        check_probe(loaded.encoder, probe, f"{data} ({probe.name})", max_new_tokens)
    return loaded, examples, tries


def _training_rows(model: Path) -> list[list[Example]] | None:
    """Forget and retain rows of the run that a model lies in; None where it lies in none, or they are gone."""
    from unsee.data import load_examples
    from unsee.runs.settings import kept_card, parse, read_yaml

    if not (file := model.absolute().parent / "run.yaml").is_file():
        return None
    try:
        settings = parse({**read_yaml(file), "out": str(file.parent)}, str(file), kept_card(file))
        return [load_examples(source) for source in (settings.forget, settings.retain) if source]
    except InputError:
        return None


def _pictures(examples: list[Example], training: list[list[Example]]) -> dict[str, int]:
    """How many rows show a picture, and how many of these one that was trained on."""
    from unsee.data.overlap import picture_overlap

    overlap = picture_overlap(examples, training)
    return {"pictures": overlap.pictures, "pictures_trained_on": overlap.trained_on}


def _check_writable(path: Path, data: str) -> None:
    """InputError unless records may be written there; found out before the model has worked for an hour."""
    folder = path.absolute().parent
    if os.path.isdir(path):
        raise InputError(f"--records {path} is a folder; give a file such as {path / 'records.jsonl'}")
    if os.path.exists(path) and os.path.exists(data) and os.path.samefile(path, data):
        raise InputError(f"--records {path} is the file given as --data, which would be lost; give another")
    existing = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"--records {path}: no file can be written in {existing}; give a folder of your own")


def _show(result: dict[str, Any], model: str, records: Path | None) -> None:
    made = table("", "score", "95 % interval", numbers=2)
    low, high = result["exact_match_low"], result["exact_match_high"]
    made.add_row("exact match", percent(result["exact_match"]), f"{percent(low)} to {percent(high)}")
    for metric, mean in shown_metrics(result["metrics"], "evaluate"):
        made.add_row(metric.label, amount(mean["score"], metric.unit), between(mean["low"], mean["high"], metric.unit))
    for name, attacked in result.get("attacks", {}).items():
        for share, of_what in (("any", f"in any of {attacked['tries']} tries"), ("mean", "mean over tries")):
            mean = attacked[share]
            made.add_row(
                f"under {name}, {of_what}", percent(mean["score"]), between(mean["low"], mean["high"], "share")
            )
    made.add_row("rows", str(result["n"]), "")
    if result["truncated"]:
        made.add_row("answers cut off (--max-new-tokens)", percent(result["truncated"]), "")
    if "pictures" in result:
        made.add_row("pictures that were trained on", f"{result['pictures_trained_on']} of {result['pictures']}", "")
    out = console()
    out.print(printable(model), style="bold", soft_wrap=True)
    out.print(made)
    if records is not None:
        places(out, records=records)
