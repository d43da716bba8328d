"""
Turn TOML tables into settings structs, noting every problem instead of the first.

msgspec's own `convert` stops at the first problem and names neither the file
nor a remedy; its description of the types (`msgspec.inspect`) is used here.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from tlsrpt_mailer.config.units import size_of, size_text, span_of, span_text
from tlsrpt_mailer.errors import ConfigError

Problem = Callable[[str, str], None]
"""Note a problem: the key's path, then what is wrong with it."""

BAD: Final = object()
"""Stands for a value whose problem has been noted."""

_TURNS = 5
"""How often keys that contradict each other are looked for beside a value that is wrong."""

SECRET_WORDS = ("password", "token", "secret", "url", "urls", "ping_url")
SECRET_WAYS = ("file", "env", "command")


_WANTED = {
    "": "a whole number",
    "span": 'a duration such as "90s", "5m", "12h" or "30d"',
    "size": 'a size such as "512kB" or "16MB"',
}


def shown(number: int, unit: str) -> str:
    """*number* as the configuration writes it: ``"5m"``, ``"16MB"``, ``20``."""
    if unit == "span":
        return quoted(span_text(number))
    return quoted(size_text(number)) if unit == "size" else str(number)


def quoted(value: object) -> str:
    """*value* as TOML writes it, short enough for one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = "".join(c if c.isprintable() else "?" for c in value)
        return f'"{text[:40]}{"..." if len(text) > 40 else ""}"'
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return "a date or time"


def one_of(values: Iterable[object]) -> str:
    """The choices in words: ``"a", "b" or "c"``."""
    *most, last = [quoted(v) for v in values]
    return f"{', '.join(most)} or {last}" if most else last


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    found = difflib.get_close_matches(word.lower(), list(known), 1, 0.6)
    return found[0] if found else None


@cache
def fields_of(settings: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    """The fields of a settings struct, with their types in msgspec's terms."""
    described = inspect.type_info(settings)
    assert isinstance(described, inspect.StructType)  # noqa: S101  for the type checker
    return described.fields


def struct(
    settings: type[msgspec.Struct],
    table: object,
    path: str,
    problem: Problem,
    *,
    also: Sequence[str] = (),
) -> Any:  # an instance of `settings`, or BAD
    """
    Make *settings* of *table*; problems are noted under *path*.

    Args:
        also: Keys of the table that somebody else reads.
    """
    if not isinstance(table, dict):
        problem(path, f"must be a table, not {quoted(table)}")
        return BAD
    fields = fields_of(settings)
    known = [f.encode_name for f in fields] + list(also)
    meant = _unknown(table, known, path, problem)
    wrong = bool(set(table) - set(known))
    values: dict[str, object] = {}
    for field in fields:
        where = joined(path, field.encode_name)
        if field.encode_name in table:
            values[field.name] = value(field.type, table[field.encode_name], where, problem)
        elif field.required:
            wrong = True
            if field.encode_name not in meant:
                problem(where, "is missing")
    wrong = _secrets(table, known, path, problem) or wrong
    if wrong or BAD in values.values():
        if also := _also_wrong(settings, values, meant):
            problem(path, also)
        return BAD
    try:
        return settings(**values)
    except (ValueError, TypeError, ConfigError) as error:  # what __post_init__ has to say
        problem(path, str(error))
        return BAD


def _also_wrong(
    settings: type[msgspec.Struct], values: Mapping[str, object], meant: Collection[str]
) -> str:
    """
    What `__post_init__` says of *values* whatever the bad ones among them were meant to be, or "".

    It is asked with several guesses at those; what it says each time is true of the rest.
    """
    good = {name: found for name, found in values.items() if found is not BAD}
    doubtful = [
        field
        for field in fields_of(settings)
        if field.name not in good
        and (field.required or field.name in values or field.encode_name in meant)
    ]
    said: list[list[str]] = []
    for turn in range(_TURNS):
        guesses = {field.name: _guess(field, turn) for field in doubtful}
        try:
            settings(**good, **guesses)
        except (ValueError, TypeError, ConfigError) as error:
            said.append(str(error).split("; "))
        else:
            return ""
    names = tuple(f"{field.encode_name}:" for field in doubtful)
    first, *others = said
    return "; ".join(
        text
        for text in first
        if all(text in other for other in others) and not text.startswith(names)
    )


def _guess(field: inspect.Field, turn: int) -> object:
    """A value that the field may have, another one each *turn*."""
    choices: list[object] = [] if field.required else [field.default]
    match _bare(field.type):
        case inspect.LiteralType(values=values):
            choices += values
        case inspect.BoolType():
            choices += [True, False]
        case inspect.IntType(ge=least):
            choices += [least or 0, (least or 0) + 1]
        case inspect.VarTupleType():
            choices += [("a@one.example",), ("b@two.example",)]
        case _:
            choices += ["one.example", "two.example", "localhost"]
    return choices[turn % len(choices)]


def _bare(kind: inspect.Type) -> inspect.Type:
    """*kind* without limits and without None."""
    while True:
        match kind:
            case inspect.Metadata():
                kind = kind.type
            case inspect.UnionType():
                kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
            case _:
                return kind


def joined(path: str, key: str) -> str:
    """The path of *key* in the table at *path*."""
    return f"{path}.{key}" if path else key


def _unknown(
    table: Mapping[str, object], known: list[str], path: str, problem: Problem
) -> set[str]:
    """Note the unknown keys; returns those that were probably meant by them."""
    probable = set()
    wrong = [key for key in table if key not in known]
    for key in wrong:
        meant = nearest(key, known)
        if key in SECRET_WORDS and f"{key}_file" in known:
            ways = one_of(f"{key}_{way}" for way in SECRET_WAYS if f"{key}_{way}" in known)
            problem(joined(path, key), f"a secret does not stand in this file; use {ways}")
        elif meant:
            probable.add(meant)
            problem(joined(path, key), f'unknown key, did you mean "{meant}"?')
        else:
            problem(joined(path, key), "unknown key; here may stand: " + ", ".join(known))
    return probable


def _secrets(table: Mapping[str, object], known: list[str], path: str, problem: Problem) -> bool:
    wrong = False
    for word in SECRET_WORDS:
        ways = [f"{word}_{way}" for way in SECRET_WAYS]
        given = [key for key in ways if key in table and key in known]
        if len(given) > 1:
            problem(joined(path, given[1]), f'say it once: "{given[0]}" is there already')
            wrong = True
    return wrong


def value(kind: inspect.Type, given: object, path: str, problem: Problem, unit: str = "") -> object:
    """The value of type *kind* that *given* stands for, or BAD once its problem is noted."""
    found: object
    match kind:
        case inspect.Metadata():
            found = value(kind.type, given, path, problem, (kind.extra or {}).get("unit", unit))
        case inspect.UnionType():
            (only,) = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
            found = value(only, given, path, problem, unit)
        case inspect.LiteralType():
            found = _literal(kind, given, path, problem)
        case inspect.BoolType():
            found = _checked(isinstance(given, bool), given, path, problem, "true or false")
        case inspect.IntType():
            found = _integer(kind, given, path, problem, unit)
        case inspect.StrType():
            found = _text(kind, given, path, problem)
        case inspect.VarTupleType() | inspect.ListType():
            found = _list(kind.item_type, given, path, problem)
        case inspect.StructType():
            found = struct(kind.cls, given, path, problem)
        case _:  # a settings struct with a type that nobody taught to this module
            raise NotImplementedError(f"{path}: {kind}")
    return found


def _checked(good: bool, given: object, path: str, problem: Problem, wanted: str) -> object:
    if good:
        return given
    problem(path, f"must be {wanted}, not {quoted(given)}")
    return BAD


def _text(kind: inspect.StrType, given: object, path: str, problem: Problem) -> object:
    if isinstance(given, str) and not given.isprintable():
        problem(path, "holds a line end or another control character")
        return BAD
    if isinstance(given, str) and kind.pattern and not re.search(kind.pattern, given):
        problem(path, f"must fit {kind.pattern}, not {quoted(given)}")
        return BAD
    return _checked(isinstance(given, str), given, path, problem, "a text in quotes")


def _literal(kind: inspect.LiteralType, given: object, path: str, problem: Problem) -> object:
    choices = [str(v) for v in kind.values]
    if isinstance(given, str) and given in choices:
        return given
    meant = nearest(given, choices) if isinstance(given, str) else None
    guess = f', did you mean "{meant}"?' if meant else ""
    problem(path, f"must be {one_of(choices)}, not {quoted(given)}{guess}")
    return BAD


def _list(item: inspect.Type, given: object, path: str, problem: Problem) -> object:
    if not isinstance(given, list):
        problem(path, f"must be a list in square brackets, not {quoted(given)}")
        return BAD
    items = [value(item, v, f"{path}[{i}]", problem) for i, v in enumerate(given)]
    return BAD if BAD in items else tuple(items)


def _integer(
    kind: inspect.IntType, given: object, path: str, problem: Problem, unit: str
) -> object:
    number: int | None = None
    if unit == "span":
        number = span_of(given) if isinstance(given, str) else None
    elif unit == "size" and isinstance(given, str):
        number = size_of(given)
    elif isinstance(given, int) and not isinstance(given, bool):
        number = given
    if number is None:
        return _checked(False, given, path, problem, _WANTED[unit])
    if kind.ge is not None and number < kind.ge:
        problem(path, f"must be at least {shown(kind.ge, unit)}, not {quoted(given)}")
        return BAD
    if kind.le is not None and number > kind.le:
        problem(path, f"must be at most {shown(kind.le, unit)}, not {quoted(given)}")
        return BAD
    return number
