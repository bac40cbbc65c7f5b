"""`unsee settings`: every key of a run, what it does, what it can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from unsee.cli.output import AsJson, console, print_json, printable, table
from unsee.errors import InputError, did_you_mean, one_of

EXAMPLES = """Examples:

unsee settings                       all of them

unsee settings learning_rate         one of them, or one with keys of its own, such as lora

unsee settings --of train            those of a supervised training

unsee settings --json                for a program
"""


def settings(
    key: Annotated[str | None, typer.Argument(help="Only this setting.", show_default=False)] = None,
    of: Annotated[str, typer.Option(help="Which command takes them: unlearn or train.")] = "unlearn",
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As a table for a page.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the settings of `unsee unlearn` or `unsee train`, for --set KEY=VALUE and for a YAML file."""
    every = descriptions = describe(of)
    if key is not None:
        descriptions = {
            name: about for name, about in descriptions.items() if name == key or name.startswith(f"{key}.")
        }
        if not descriptions:
            raise InputError(f"settings: {key!r} is unknown{did_you_mean(key, every)}")
    if as_json:
        print_json(descriptions)
    elif as_markdown:
        typer.echo(markdown(descriptions), nl=False)
    else:
        made = table("setting", "default", "what it does")
        for name, about in descriptions.items():
            made.add_row(name, printable(_shown(about)), printable(_told(about)))
        console().print(made)


def describe(of: str = "unlearn") -> dict[str, dict[str, Any]]:
    """Of every setting, by its key: `default` (absent where there is none), `meaning`, and the `choices` if few.

    Args:
        of: which command takes them: unlearn or train.

    Raises:
        InputError: no other has any.
    """
    from unsee.runs.settings import Settings
    from unsee.runs.supervised.settings import TrainSettings

    models: dict[str, type[BaseModel]] = {"unlearn": Settings, "train": TrainSettings}
    one_of("--of", of, models)
    schema = models[of].model_json_schema()
    return dict(_described(schema["properties"], schema.get("$defs", {})))


def _described(
    properties: Mapping[str, Any], models: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in properties.items():
        kinds = [schema, *schema.get("anyOf", [])]
        choices = [value for kind in kinds for value in kind.get("enum", [kind["const"]] if "const" in kind else [])]
        about = {"meaning": schema["description"]}
        if "default" in schema:
            about["default"] = schema["default"]
        if choices:
            about["choices"] = choices
        yield f"{above}{name}", about
        for kind in kinds:
            if "$ref" in kind:
                inner = models[kind["$ref"].rpartition("/")[2]]
                yield from _described(inner["properties"], models, f"{above}{name}.")


def markdown(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of a page."""
    rows = [f"| `{name}` | {_shown(about) or '-'} | {_told(about)} |" for name, about in found.items()]
    return "\n".join(["| setting | default | what it does |", "|---|---|---|", *rows, ""])


def _shown(about: Mapping[str, Any]) -> str:
    """A default as `--set` takes it."""
    value = about.get("default")
    if value in (None, [], {}):
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _told(about: Mapping[str, Any]) -> str:
    return str(about["meaning"]) + (f" ({', '.join(map(str, about['choices']))})" if "choices" in about else "")
