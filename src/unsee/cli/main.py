"""The command line: parse, call one function, print.

Wrong input ends in one line on stderr and exit code 2, an interruption in exit code 130, a bug in a traceback. Every
command imports what is heavy only once it runs, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Annotated, Any

import typer
from typer.main import get_command

from unsee import __version__
from unsee.cli import (
    bench,
    benchmark,
    compare,
    data,
    demo,
    doctor,
    evaluate,
    methods,
    metrics,
    mine,
    report,
    settings,
    train,
    tune,
    unlearn,
    world,
)
from unsee.cli.conduct import behave
from unsee.errors import InputError
from unsee.system import processes
from unsee.system.progress import Narrator

WRONG_INPUT, INTERRUPTED = 2, 130
# Errors of the system that are nobody's bug, and what helps.
_OF_THE_MACHINE = {
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENOSPC: "make room, and start the same command again",
    errno.EDQUOT: "make room, and start the same command again",
    errno.EROFS: "give a folder that can be written to",
}
ALONE = ("bench", "demo")
RESUMABLE = ("bench", "data", "demo", "mine", "train", "tune", "unlearn")

# The base of typer's usage errors lives in click or in typer, depending on its version.
UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    name="unsee",
    help="Machine unlearning for vision-language models: make a model forget, keep the rest, and measure both.",
    epilog="Start with: unsee demo",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"unsee {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command(epilog=demo.EXAMPLES)(demo.demo)
app.command(epilog=unlearn.EXAMPLES)(unlearn.unlearn)
app.command(epilog=train.EXAMPLES)(train.train)
app.command(epilog=tune.EXAMPLES)(tune.tune)
app.command(epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(epilog=bench.EXAMPLES)(bench.bench)
app.command(epilog=report.EXAMPLES)(report.report)
app.command(epilog=compare.EXAMPLES)(compare.compare)
app.command(epilog=methods.EXAMPLES)(methods.methods)
app.command(epilog=settings.EXAMPLES)(settings.settings)
app.command(epilog=doctor.EXAMPLES)(doctor.doctor)
app.add_typer(data.app)
app.add_typer(mine.app)
app.add_typer(metrics.app)
app.add_typer(world.app)
app.add_typer(benchmark.app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the name of the program; those of the process when not given.

    Returns:
        The exit code: 0, 1 when `unsee doctor` found problems, 2 for wrong input, 130 when interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    behave()
    try:
        _check(given)
        processes.settle()
        if given[:1] and given[0] in ALONE:
            processes.alone(f"unsee {given[0]}")
        # Only the program itself talks to a log; who calls `main` with arguments has a stderr of their own.
        with Narrator(given[0]) if arguments is None and given else nullcontext():
            code = get_command(app).main(given, prog_name="unsee", standalone_mode=False)
    except processes.OtherFailedError:
        return WRONG_INPUT  # the other process says what is wrong
    except InputError as error:
        return _fail(str(error))
    except UsageError as error:
        return _fail(_usage(error))
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        return _fail(str(InputError(f"{error.strerror}: {error.filename or 'a file'}; {_OF_THE_MACHINE[error.errno]}")))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        again = "; start the same command again to go on" if given[:1] and given[0] in RESUMABLE else ""
        print(f"unsee: interrupted{again}", file=sys.stderr)
    return code or 0


def _check(given: Sequence[str]) -> None:
    """Refuse what no command can mean, before any reads it as something else: an empty path is the current folder."""
    for before, argument in zip(["", *given], given, strict=False):
        if not argument.strip():
            what = before if before.startswith("-") else f"argument {list(given).index(argument) + 1}"
            raise InputError(f"{what} is empty; give a value, or leave it out")
        if "\0" in argument:
            raise InputError(f"{argument!r}: has a NUL character, which no name can have")


def _fail(message: str) -> int:
    if message:
        print(f"unsee: error: {message}", file=sys.stderr)
    return WRONG_INPUT


def _usage(error: Any) -> str:
    """One line on what was typed wrong; empty when help has been shown instead."""
    message = str(InputError(error.format_message())).removesuffix(".")
    context = getattr(error, "ctx", None)
    if not message or context is None:
        return message
    return f"{message}{' See' if message.endswith('?') else '; see'} {context.command_path} --help"
