"""
The TXT records of RFC 8460, 3 and RFC 8461, 3.1: one grammar for both.

A version, then fields ``name=value`` behind semicolons. What is called by its
name here (``rua``, ``id``) is read by `record` and `sts`.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from tlsrpt_mailer.domains.flaw import Flaw, fatal, risky

BLANKS = " \t"
"""WSP of RFC 5234."""
NEAR = 0.75
"""How much like the version a word must be to be taken for a slip of it."""
_LONGEST_WORD = 30
_HEAD = 400
"""Characters in which the version is looked for where it does not stand in front."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}", re.ASCII | re.IGNORECASE)
_VALUE = re.compile(r"[!-:<>-~]+")
_OTHERS = re.compile(r"v=(dmarc|sts|tlsrpt)", re.ASCII | re.IGNORECASE)
_QUOTES = re.compile("[\"'\u2018-\u201f]")
_JUNK = re.compile(r"[\"'\u2018-\u201f\\\s\ufeff]")


class Candidates(msgspec.Struct, frozen=True):
    """The TXT records of a name, sorted by what they are to who looks for one of them."""

    found: tuple[str, ...] = ()
    """Those that a sender counts."""
    loose: tuple[str, ...] = ()
    """Those without a ";" right behind the version: with a blank before it, which the grammar
    allows and the text of both RFCs does not (erratum 6285), or without any."""
    near: tuple[tuple[str, Flaw], ...] = ()
    """Those that are meant to be one, and why nobody takes them for one."""


def candidates(texts: Iterable[str], version: str, known: Collection[str]) -> Candidates:
    """
    Which of *texts* are records of a version, or were meant to be.

    Args:
        texts: The TXT records of a name.
        version: ``TLSRPTv1`` or ``STSv1``.
        known: Names of fields that such a record has.
    """
    tag = f"v={version}"
    loosely = re.compile(rf"{tag}[ \t]*(?:;|$)", re.ASCII)
    found, loose, near = [], [], []
    for text in texts:
        if text.startswith(f"{tag};"):
            found.append(text)
        elif loosely.match(text):
            loose.append(text)
        elif (code := _slip(text, version, known)) is not None:
            near.append((text, fatal(code, text, version=version)))
    return Candidates(tuple(found), tuple(loose), tuple(near))


def _slip(text: str, version: str, known: Collection[str]) -> str | None:
    """The code of what keeps *text* from being a record; None where it was not meant as one."""
    tag = f"v={version}"
    bare = _JUNK.sub("", text[:_HEAD])
    lower, rest = bare.lower(), bare[len(tag) :]
    other = _OTHERS.match(bare)
    if other is not None and not version.lower().startswith(other[1].lower()):
        return other[1].lower()
    if lower.startswith(tag.lower()):
        if rest[:1].isdigit():
            return "other-version"
        return _around(text, tag) if bare.startswith(tag) else "capitals"
    word = re.split(r"[=:]", re.split(r"[;,]", bare, maxsplit=1)[0])[-1]
    if _is_like(word, version):
        is_other = word[:-1] == version[:-1] and word[-1:].isdigit() and word != version
        return "other-version" if is_other else "spelling"
    has_field = any(lower.startswith(f"{name}=") for name in known)
    return "no-version" if has_field or tag.lower() in lower else None


def _around(text: str, tag: str) -> str:
    """What stands around a version that is right in itself."""
    near = text[: 2 * len(tag)]
    if text.startswith(tag):
        near = text[len(tag) :].lstrip(BLANKS)[:1]
    if "\\" in near:
        return "backslash"
    if _QUOTES.search(near):
        return "quotes"
    return "delimiter" if text.startswith(tag) else "version-blank"


def _is_like(word: str, version: str) -> bool:
    if len(word) > _LONGEST_WORD:
        return False
    pair = difflib.SequenceMatcher(None, version.lower(), word.lower(), autojunk=False)
    return pair.ratio() >= NEAR


class Fields(msgspec.Struct, frozen=True):
    """The fields of one record, in their order, and what is wrong with the whole."""

    pairs: tuple[tuple[str, str], ...]
    flaws: tuple[Flaw, ...]


def read_fields(text: str, version: str, known: Collection[str]) -> Fields:
    """
    Take apart *text*, which begins with ``v=`` and the *version*.

    Args:
        text: A record as `candidates` found it.
        version: ``TLSRPTv1`` or ``STSv1``.
        known: Names of fields whose values the caller reads; all others are extensions.
    """
    before, *parts = text[len(version) + 2 :].split(";")
    flaws: list[Flaw] = [risky("blank-before")] if before else []
    # A delimiter may stand at the end, with blanks; blanks alone may not.
    if parts and parts[-1].strip(BLANKS) and parts[-1][-1] in BLANKS:
        flaws.append(fatal("blank-end"))
    if parts and not parts[-1].strip(BLANKS):
        parts.pop()
    pairs: list[tuple[str, str]] = []
    for part in parts:
        name, equals, value = part.strip(BLANKS).partition("=")
        flaws += _flaws_of(name, equals, value, known)
        if equals:
            pairs.append((name, value))
    return Fields(tuple(pairs), (*flaws, *_repeated(pairs, known)))


def _flaws_of(name: str, equals: str, value: str, known: Collection[str]) -> Iterator[Flaw]:
    if not equals:
        yield fatal("no-field", name) if name else fatal("empty-field")
    elif _NAME.fullmatch(name) is None:
        yield fatal("field-name", name)
    elif name not in known:
        if _VALUE.fullmatch(value) is None:
            yield fatal("field-value", name)
        if name.lower() in known:
            yield risky("field-capitals", name, right=name.lower())


def _repeated(pairs: Sequence[tuple[str, str]], known: Collection[str]) -> Iterator[Flaw]:
    """The grammar permits it; a reader that stops at the first one misses the second."""
    names = [name for name, _ in pairs]
    for name in known:
        if names.count(name) > 1:
            yield risky("field-twice", name)
