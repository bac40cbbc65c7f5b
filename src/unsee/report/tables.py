"""A comparison of runs as text: Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

from unsee.report.compare import Cell, Comparison, cells_of, columns
from unsee.system.wording import plain

METRICS = {  # beside the share of right answers, which goes without saying
    "chair_s_matched": "captions that hallucinate, at equal length",
    "false_yes": "false yes",
    "judged_hallucinated_said": "judged hallucinated, still said",
    "judged_real_said": "judged real, still named",
}
CSV_COLUMNS = ("row", "probe", "metric", "score", "low", "high", "n", "role", "verdict")
# What would start markup: an underscore within a word does not.
_MARKDOWN = re.compile(r"[\\|`*<\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
    **{"\N{EN DASH}": "--", "\N{EM DASH}": "---", "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}"},
}


def markdown(comparison: Comparison) -> str:
    """A table with a row for each model; shares in percent, with their 95 % intervals."""
    shown = columns(comparison)
    heads = [_markdown(", ".join(_head(comparison, column))) for column in shown]
    lines = [
        f"| model | {' | '.join(heads)} | verdict |",
        f"|---|{'---:|' * len(heads)}---|",
    ]
    for row in comparison.rows:
        cells = cells_of(row)
        texts = [_share(cells.get(column), "{} ({}\N{EN DASH}{})", "\N{EN DASH}") for column in shown]
        lines.append(f"| {_markdown(row.name)} | {' | '.join(texts)} | {_markdown(row.verdict)} |")
    return "\n".join(lines) + "\n"


def latex(comparison: Comparison) -> str:
    """A `tabular` for `\\usepackage{booktabs}`; shares in percent, with their 95 % intervals."""
    shown = columns(comparison)
    heads = [[_latex(text) for text in _head(comparison, column)] for column in shown]
    lines = [
        r"% \usepackage{booktabs}; shares in percent, with 95 % intervals",
        rf"\begin{{tabular}}{{l{'r' * len(shown)}l}}",
        r"\toprule",
        _line("model", [head[0] for head in heads], "verdict"),
        *(_line("", [head[part] for head in heads], "") for part in (1, 2)),
        r"\midrule",
    ]
    for row in comparison.rows:
        cells = cells_of(row)
        texts = [_share(cells.get(column), "{} ({}--{})", "--") for column in shown]
        lines.append(_line(_latex(row.name), texts, _latex(row.verdict)))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def as_csv(comparison: Comparison) -> str:
    """One line for each model, probe and metric; shares from 0 to 1, nothing where there is no number."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in comparison.rows:
        for cell in row.cells:
            numbers = (cell.score, cell.low, cell.high, cell.n)
            writer.writerow((row.name, cell.probe, cell.metric, *numbers, comparison.roles[cell.probe], row.verdict))
    return file.getvalue()


TABLES: dict[str, Callable[[Comparison], str]] = {"md": markdown, "csv": as_csv, "latex": latex}


def _head(comparison: Comparison, column: tuple[str, str]) -> list[str]:
    """The probe and what is measured, what it is for, and over how many rows."""
    probe, metric = column
    sizes = sorted({cells[column].n for row in comparison.rows if column in (cells := cells_of(row))})
    name = f"{probe}: {METRICS[metric]}" if metric in METRICS else probe
    return [name, comparison.roles[probe], f"n = {' or '.join(map(str, sizes))}"]


def _share(cell: Cell | None, form: str, nothing: str) -> str:
    if cell is None or cell.score is None:
        return nothing
    low, high = cell.low, cell.high
    score = f"{100 * cell.score:.1f}"
    return score if low is None or high is None else form.format(score, f"{100 * low:.1f}", f"{100 * high:.1f}")


def _line(first: str, texts: list[str], last: str) -> str:
    return " & ".join([first, *texts, last]) + r" \\"


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(lambda match: f"\\{match[0]}", plain(text))


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in plain(text))
