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

    found = {name: describe(name) for name in METHODS}
    for name, plugin in plugins().items():
        try:
            if name in METHODS:
                raise InputError("a built-in method has the same name, and is the one that is meant")
            found[name] = describe(name)
        except InputError as error:
            found[f"{name} of {plugin.package}" if name in METHODS else name] = {
                "name": name,
                "source": " and ".join(plugin.places),
                "error": str(error),
            }
    return found


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
            one.name: {
                "default": one.default,
                "meaning": one.meaning,
                **({"choices": list(one.choices)} if one.choices else {}),
            }
            for one in hyper_parameters(name)
        },
    }


def _list(found: dict[str, dict[str, Any]]) -> None:
    made = Table.grid(padding=(0, 2))
    for one in found.values():
        if "error" in one:
            made.add_row(Text(one["name"], style="bold"), Text("cannot be used"))
            made.add_row("", Text(f"{printable(one['error'])}\nfrom {printable(one['source'])}\n", style="dim"))
            continue
        values = [f"{name}={plain(about['default'])}" for name, about in one["hyper_parameters"].items()]
        facts = [
            f"needs {', '.join(one['needs']) or 'nothing'}",
            one["paper"],
            *([f"from {printable(one['source'])}"] if "source" in one else []),
            *([f"set with --set: {', '.join(values)}"] if values else []),
        ]
        made.add_row(Text(one["name"], style="bold"), Text(one["summary"]))
        made.add_row("", Text("\n".join(facts) + "\n", style="dim"))
    out = console()
    out.print(made)
    out.print("unsee methods NAME tells more about one of them.")


def _show(one: dict[str, Any]) -> None:
    out = console()
    out.print(one["name"], style="bold")
    out.print(one["summary"])
    if one["details"]:
        out.print(one["details"])
    out.print()
    facts = {"minimises": one["objective"], "needs": ", ".join(one["needs"]) or "nothing", "paper": one["paper"]}
    if "source" in one:
        facts["from"] = printable(one["source"])
    for name, fact in facts.items():
        out.print(f"{name:<10} {fact}")
    if one["hyper_parameters"]:
        made = table("hyper-parameter", "default", "meaning")
        for name, about in one["hyper_parameters"].items():
            words = f" ({', '.join(about['choices'])})" if "choices" in about else ""
            made.add_row(name, plain(about["default"]), about["meaning"] + words)
        out.print()
        out.print(made)


def plain(value: float | str) -> str:
    """A default as `--set` takes it."""
    return value if isinstance(value, str) else f"{value:g}"
