"""`unsee methods`: what can be done to a model, from which paper, with which hyper-parameters."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from unsee.cli.output import AsJson, console, print_json, printable, table
from unsee.errors import InputError

EXAMPLES = """Examples:

unsee methods                 all of them

unsee methods npo             one of them, with its hyper-parameters

unsee methods npo --json      the same for a program

unsee methods mine.py:Mine    one that stands in a file of your own
"""


def methods(
    name: Annotated[
        str | None, typer.Argument(help="Only this method, in full: a name, or FILE.py:CLASS.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the methods: what each does, its paper, what can be set. Those of installed packages are among them."""
    if as_json:
        print_json(describe(name) if name else described())
    elif name:
        _show(describe(name))
    else:
        _list(described())


def described() -> dict[str, dict[str, Any]]:
    """Every method by name, those of this package first; of one that cannot be used `error` says why."""
    from unsee.methods import METHODS
    from unsee.methods.registry import plugins

    descriptions = {name: describe(name) for name in METHODS}
    for name, plugin in plugins().items():
        try:
            if name in METHODS:
                raise InputError("a built-in method has the same name, and is the one that is meant")
            descriptions[name] = describe(name)
        except InputError as error:
            descriptions[f"{name} of {plugin.package}" if name in METHODS else name] = {
                "name": name,
                "source": " and ".join(plugin.places),
                "error": str(error),
            }
    return descriptions


def describe(name: str) -> dict[str, Any]:
    """What `unsee methods NAME --json` prints.

    Raises:
        InputError: for an unknown method.
    """
    from unsee.methods import find, hyper_parameters
    from unsee.methods.registry import source_of

    method, source = find(name), source_of(name)
    needs = {
        "forget rows": method.needs.forget,
        "retain rows": method.needs.retain,
        "the starting model": method.needs.reference != "nothing",
        "spans in the forget rows": method.needs.spans,
        "refusals": method.needs.refusals,
        "answers of other rows": method.needs.mismatched,
        "a saliency mask": method.needs.saliency,
    }
    first, _, rest = (method.__doc__ or "").partition("\n\n")
    return {
        "name": method.name,
        "summary": " ".join(first.split()),
        "details": " ".join(rest.split()),
        "objective": " ".join((method.terms.__doc__ or "").split()).removesuffix("."),
        "paper": method.paper,
        **({"source": source} if source else {}),
        "needs": [need for need, wanted in needs.items() if wanted],
        "hyper_parameters": {
            parameter.name: {
                "default": parameter.default,
                "meaning": parameter.meaning,
                **({"choices": list(parameter.choices)} if parameter.choices else {}),
            }
            for parameter in hyper_parameters(name)
        },
    }


def _list(descriptions: dict[str, dict[str, Any]]) -> None:
    made = Table.grid(padding=(0, 2))
    for method in descriptions.values():
        if "error" in method:
            made.add_row(Text(method["name"], style="bold"), Text("cannot be used"))
            made.add_row("", Text(f"{printable(method['error'])}\nfrom {printable(method['source'])}\n", style="dim"))
            continue
        values = [f"{name}={plain(about['default'])}" for name, about in method["hyper_parameters"].items()]
        facts = [
            f"needs {', '.join(method['needs']) or 'nothing'}",
            method["paper"],
            *([f"from {printable(method['source'])}"] if "source" in method else []),
            *([f"set with --set: {', '.join(values)}"] if values else []),
        ]
        made.add_row(Text(method["name"], style="bold"), Text(method["summary"]))
        made.add_row("", Text("\n".join(facts) + "\n", style="dim"))
    out = console()
    out.print(made)
    out.print("unsee methods NAME tells more about one of them.")


def _show(method: dict[str, Any]) -> None:
    out = console()
    out.print(method["name"], style="bold")
    out.print(method["summary"])
    if method["details"]:
        out.print(method["details"])
    out.print()
    facts = {
        "minimises": method["objective"],
        "needs": ", ".join(method["needs"]) or "nothing",
        "paper": method["paper"],
    }
    if "source" in method:
        facts["from"] = printable(method["source"])
    for name, fact in facts.items():
        out.print(f"{name:<10} {fact}")
    if method["hyper_parameters"]:
        made = table("hyper-parameter", "default", "meaning")
        for name, about in method["hyper_parameters"].items():
            words = f" ({', '.join(about['choices'])})" if "choices" in about else ""
            made.add_row(name, plain(about["default"]), about["meaning"] + words)
        out.print()
        out.print(made)


def plain(value: float | str) -> str:
    """A default as `--set` takes it."""
    return value if isinstance(value, str) else f"{value:g}"
