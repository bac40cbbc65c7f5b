"""Options that several commands have, each told in one way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SettingsFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN.YAML", help="Settings in a YAML file. Flags win over it, --set over both.", show_default=False
    ),
]
Model = Annotated[str | None, typer.Option(help="Folder or hub id of the model to change.", show_default=False)]
Forget = Annotated[
    str | None,
    typer.Option(help="Rows to be forgotten: a .jsonl or .parquet file, a folder, a hub id.", show_default=False),
]
Retain = Annotated[
    str | None, typer.Option(help="Rows to be kept, for methods that train on them.", show_default=False)
]
Preserve = Annotated[str | None, typer.Option(help="Further rows that a saliency mask protects.", show_default=False)]
RetainPreserved = Annotated[
    bool, typer.Option("--retain-preserved", help="Train on the preserve rows too, as further retain rows.")
]
Method = Annotated[
    str | None, typer.Option(help="One of those that `unsee methods` lists, or FILE.py:CLASS.", show_default="npo")
]
Parts = Annotated[
    str | None,
    typer.Option(help="Where weights may move.", show_default="vision,projector,language; for efuf projector"),
]
Lora = Annotated[
    int | None, typer.Option(metavar="RANK", help="Train low-rank adapters instead of the weights.", show_default=False)
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any other setting that `unsee settings` lists (learning_rate, max_steps, dtype, ...) or a "
        "hyper-parameter of the method; may be repeated.",
        show_default=False,
    ),
]
DType = Annotated[str, typer.Option(help="Of the weights: float32, bfloat16 or float16.")]
TrustRemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help="Run code that comes with the model.")]
