"""JSON and YAML read strictly: what a text says is what a person reads in it, and its size is bounded.

The parsers of the standard library and of PyYAML take the last of two keys with the same name, words that JSON does
not have (NaN), and numbers that are written otherwise than they are meant: in YAML 1.1 `010` is 8, `1:30` is 90, `no`
is false, and `1e-5` is a word. Here they are what they are in YAML 1.2. A few bytes can also stand for a thousand
levels or, by aliases of aliases, for billions of values; both end in one line.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Hashable
from typing import Any, ClassVar

import yaml

from unsee.errors import InputError

MAX_YAML = 500_000  # characters: settings and descriptions have hundreds
MAX_MARKS = 10_000_000  # commas, colons and opening brackets of a JSON text, of which every value has one or more
MAX_DEPTH = 64  # levels; nothing that is read here has more than ten
MAX_NODES = 100_000  # values in a YAML text with all aliases followed
_SHOWN = 60
_MARK_OR_WORDS = re.compile(r'([,:\[{])|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_LARGE = re.compile(r"[0-9]{300}|[eE]\+?[0-9]{3}")
_CORE = (*(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")), None)


def parse_json(text: str, where: str, hint: str = "", one_line: bool = False) -> Any:
    """The value of a JSON text.

    Args:
        text: the whole text.
        where: how an error message calls it, such as "run.json" or "rows.jsonl, line 3".
        hint: what would be right, for the end of the message about a text that is no JSON.
        one_line: whether `where` names the line already.

    Raises:
        InputError: broken JSON, a key twice in one object, NaN or an infinity, a number beyond all bounds, or a text
            that is nested too deep or may hold more values than fit into memory.
    """
    _check_size(text, where)
    # Looked at one by one, numbers take five times as long; only these can be too large.
    numbers: dict[str, Any] = {"parse_float": _number, "parse_int": _integer} if _LARGE.search(text) else {}
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, **numbers)
    except json.JSONDecodeError as error:
        line = "" if one_line else f", line {error.lineno}"
        raise InputError(f"{where}{line}: broken JSON ({error.msg}, column {error.colno}){hint}") from error
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:  # numbers of 5,000 digits, lists a thousand deep
        raise InputError(f"{where}: JSON that cannot be read ({error})") from error


def _check_size(text: str, where: str) -> None:
    """InputError for a text that may hold too many values: the two letters of `{}` become thirty times as many bytes.

    Counted without parsing: first with those of words, which takes no time; only where these are too many, without.
    """
    if sum(map(text.count, ",:[{")) <= MAX_MARKS:
        return
    marks = 0
    for match in _MARK_OR_WORDS.finditer(text):
        marks += match.lastindex is not None
        if marks > MAX_MARKS:
            raise InputError(
                f"{where}: more than {MAX_MARKS:,} commas, colons and brackets; split it into several files"
            )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"{_short(twice)} twice in one object; keep one")
    return mapping


def _constant(name: str) -> float:
    raise InputError(f"{name} is no number; JSON has null for what is missing")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InputError(f"{_short(text)} is larger than any number that can be kept")
    return value


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) > sys.float_info.max:
        raise InputError(f"{_short(text)} is larger than any number that can be kept")
    return value


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text: null, true and false, numbers, words, lists, and mappings whose keys are words.

    Args:
        text: the whole text.
        where: how an error message calls it, such as the path of the file.

    Raises:
        InputError: broken YAML, a key twice in one mapping, a text that is too long, too deep or unfolds to too much.
    """
    if len(text) > MAX_YAML:
        raise InputError(f"{where}: YAML of {len(text)} characters; at most {MAX_YAML}")
    try:
        return _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        complaint = problem if isinstance(error, _Refused) else f"not YAML ({problem})"
        raise InputError(f"{where}{line}: {complaint}") from None
    except (ValueError, RecursionError, LookupError, TypeError) as error:  # 5,000 digits, "!!bool maybe", "!!map [1]"
        raise InputError(f"{where}: not YAML that can be read ({error})") from None


class _Refused(yaml.MarkedYAMLError):
    """YAML that could be read otherwise than it is meant, or that stands for too much."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader by the core schema of YAML 1.2, without repeated keys, with bounds."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]
    yaml_constructors: ClassVar[dict[str | None, Any]] = {k: yaml.SafeLoader.yaml_constructors[k] for k in _CORE}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._sizes: dict[int, int] = {}  # of finished nodes, aliases followed

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._refused(f"more than {MAX_DEPTH} levels deep", event)
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if not isinstance(event, yaml.AliasEvent):
            children = [] if isinstance(node, yaml.ScalarNode) else node.value
            flat = (child for entry in children for child in (entry if isinstance(entry, tuple) else (entry,)))
            self._sizes[id(node)] = 1 + sum(self._sizes[id(child)] for child in flat)
        elif id(node) not in self._sizes:
            raise self._refused("an alias of what it stands in", event)
        if self._sizes[id(node)] > MAX_NODES:
            raise self._refused(f"unfolds to more than {MAX_NODES} values", event)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._refused("a key that is no word", key)
            if key.value in seen:
                raise self._refused(f"{_short(key.value)} twice in one mapping; keep one", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def _refused(self, problem: str, place: Any) -> yaml.YAMLError:
        return _Refused(problem=problem, problem_mark=place.start_mark)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, that puts quotes round every word which 1.1 or 1.2 takes for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump_yaml(value: Any) -> str:
    """A value as YAML that `parse_yaml`, and any other reader, reads as the same value; keys keep their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node)).lower()
    base = {"0x": 16, "0o": 8}.get(text[:2], 10)
    return _integer(text) if base == 10 else int(text[2:], base)


def _fraction(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan")) if text[-1] in "fn" else _number(text)


for _tag, _construct, _pattern, _first in (
    ("null", None, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", None, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", _whole, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        _fraction,
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
):
    for _owner in (_Loader, _Dumper):
        _owner.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), _first)
    if _construct:
        _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _construct)


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}...")
