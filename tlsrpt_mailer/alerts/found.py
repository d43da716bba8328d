"""
What a check of a domain found, in words: what it is, why it matters, how to mend it.

The texts stand in ``catalogue/findings.toml``. What fills them comes from DNS
and the web, so all of it passes `words.safe` or `words.name`; only strict host
names stand in commands, and only lines without a surprise among those to paste.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.alerts import commands, pasting, words
from tlsrpt_mailer.alerts.catalogue import Check, read
from tlsrpt_mailer.report.times import Time

Facts: TypeAlias = Mapping[str, str]
Show: TypeAlias = Callable[[str, int], str]
"""Makes a stranger's text harmless."""

UNKNOWN = "_unknown"
THEIRS = "_theirs"
ALIAS = "_alias"
FACT_CHARS = 300
"""Characters of one fact that a text shows."""

SEVERAL = " | "
"""Between records, where a fact holds more than one."""

_SEEN = "{seen}"
EXPLAIN = "explain"
"""The form of what is said of a code in general."""

_NAMES = frozenset({"domain", "mx"})
_ASIDE = re.compile(
    r""": "?{\w+}"?(?=\.)| \((?:mode )?{\w+}\)"""
    r"|,? at {addresses}|, at the latest [a-z ]*{until}"
)
"""What can be taken out of a sentence that leaves it whole."""
_BELOW = re.compile(r"\b(file|records?|one|line) below(?: it)?\b")
_SENTENCE = re.compile(r"(?<=[.?]) (?=[A-Z{])")
_PLACE = re.compile(r"\{(\w+)\}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_REFUSED = frozenset({"refused", "mismatch"})
"""What senders that do DANE make of a certificate, when they deliver nothing."""
_BESIDE = "_dane"
"""The end of the keys of effects that speak of all other senders then."""
_OWN_RECORD = "tlsrpt-"
"""Findings about a TLSRPT record: with an MX host, they are about that host's own."""
_RECORD = Check(("tlsrpt-mailer record {domain}",))
_CHECK = Check(("tlsrpt-mailer check {domain}",))
_JSON = Check(("tlsrpt-mailer check --json {domain}",))


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said in another way; what is not stays as it is."""

    short: str | None = None
    what: tuple[str, ...] | None = None
    why: tuple[str, ...] | None = None
    mend: tuple[str, ...] | None = None
    brief: str | None = None
    lines: Literal["", "line", "record"] | None = None
    check: tuple[Check, ...] | None = None


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one code; see ``findings.toml``."""

    short: str
    what: tuple[str, ...]
    why: tuple[str, ...]
    mend: tuple[str, ...]
    brief: str
    place: str = "at"
    lines: Literal["", "line", "record"] = ""
    theirs: bool = False
    check: tuple[Check, ...] = ()
    effect: dict[str, str] = {}
    form: dict[str, Form] = {}


class Shown(msgspec.Struct, frozen=True):
    """A command that shows how it is now, and what it prints."""

    note: str
    lines: tuple[str, ...]


class Told(msgspec.Struct, frozen=True):
    """A finding in words: printable ASCII throughout; `lines` and commands are 74 columns wide."""

    short: str
    """For subjects and lists: ``certificate expired``."""
    phrase: str
    """The same with the MX host: ``certificate expired on mx1.example.com``."""
    what: str
    why: str
    mend: tuple[str, ...]
    lines: tuple[str, ...]
    """What to publish, as it can be pasted."""
    check: tuple[Shown, ...]
    brief: str
    """The mend in a line."""
    stands: tuple[str, ...] = ()
    """For a terminal: the records that stand there, of which `what` does not speak then."""


def known_codes() -> tuple[str, ...]:
    """The codes that there are words for."""
    return tuple(code for code in _entries() if not code.startswith("_"))


def told(
    code: str, domain: str, mx: str | None, facts: Facts, now: Time, *, terminal: bool = False
) -> Told:
    """
    A finding in words; one that nobody knows is told as that.

    Args:
        code: Of `domains.finding.Finding`.
        domain: The domain that was looked at.
        mx: The MX host that it is about.
        facts: What the words are filled with; texts as they came.
        now: Moments of another year are told with the year.
        terminal: It is for a terminal, where addresses keep their ``://``, and records stand on
            lines of their own.
    """
    entry = _entry(code, mx, facts)
    target = mx if mx is not None and code.startswith(_OWN_RECORD) else domain
    fill = _Filler(target, mx, facts, now, words.plain if terminal else words.safe)
    names = commands.names(target, mx, None)
    is_theirs = entry.theirs and bool(facts.get("hosted"))
    advice = _formed(_entries()[THEIRS], facts.get("mode", "")) if is_theirs else entry
    short = fill.always(entry.short)
    quoting = [one for one in entry.what[1:] if _SEEN in one]
    is_apart = terminal or _is_quoted(facts)
    more = [one for one in entry.what[1:] if not (is_apart and one in quoting)]
    lines = () if is_theirs else tuple(_lines(entry, names, facts))
    first = _entries()[ALIAS].mend if lines and facts.get("cname_to") else ()
    return Told(
        short=short,
        phrase=_phrase(short, entry.place, mx),
        what=" ".join([fill.always(entry.what[0]), *fill.all(more)]),
        why=" ".join(fill.some([*entry.why, *_effects(entry, facts)])),
        mend=(*fill.all(first), *fill.some(advice.mend)),
        lines=lines,
        check=tuple(_shown(check, names) for check in entry.check),
        brief=fill.always(advice.brief),
        stands=_stands(facts) if terminal and quoting and not _is_quoted(facts) else (),
    )


def _is_quoted(facts: Facts) -> bool:
    """Whether what is wrong is told with the whole record."""
    return f'"{facts.get("seen", "")}"' in facts.get("wrong", "")


def _stands(facts: Facts) -> tuple[str, ...]:
    """The records as they stand there, each apart."""
    seen = facts.get("seen", "")
    return tuple(f'"{words.plain(one, FACT_CHARS)}"' for one in seen.split(SEVERAL) if one)


class Explained(msgspec.Struct, frozen=True):
    """A code in general: placeholders stand for names, and what needs a fact is left out."""

    short: str
    what: str
    why: str
    effect: dict[str, str]
    """By policy mode, and by how TLSA records use the certificate."""
    mend: tuple[str, ...]
    check: tuple[Shown, ...]


def explained(code: str) -> Explained:
    """What a code of `known_codes` means, for no domain in particular."""
    entry = _formed(_entries()[code], EXPLAIN)
    prints = _RECORD if entry.lines == "record" else _CHECK

    def general(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(text for one in texts if (text := _general(one, prints)))

    effect = {key: said for key, said in entry.effect.items() if not key.endswith(_BESIDE)}
    return Explained(
        short=entry.short,
        what=_general(entry.what[0], prints),
        why=" ".join(general(entry.why)),
        effect=dict(zip(effect, general(effect.values()), strict=True)),
        mend=general(entry.mend),
        check=tuple(_shown(check, commands.PLACEHOLDERS) for check in entry.check),
    )


def _general(text: str, prints: Check) -> str:
    """*text* without what only a finding can tell; *prints* shows what stands "below" it."""
    bare = _ASIDE.sub("", _BELOW.sub(rf"\1 that {prints.command[0]} prints", text))
    whole = [one for one in _SENTENCE.split(bare) if {*_PLACE.findall(one)} <= _NAMES]
    return commands.PLACEHOLDERS.fill(" ".join(whole))


def text(told: Told, indent: str = "") -> list[str]:
    """
    All of it as a terminal shows it, at most 78 columns wide.

    What is to be published stands at the margin: in a zone file, a line that begins with a blank
    speaks of the name above it (RFC 1035, 5.1).
    """
    lines = [*words.wrap(told.what, f"{indent}  ")]
    if told.stands:
        said = "As they stand there:" if len(told.stands) > 1 else "As it stands there:"
        lines += [f"{indent}  {said}", *(f"{indent}    {one}" for one in told.stands)]
    lines += words.wrap(told.why, f"{indent}  ")
    for at, step in enumerate(told.mend, 1):
        lines += words.wrap(step, f"{indent}     ", f"{indent}  {at}. ")
    if told.lines:
        lines += ["", *told.lines]
    for one in told.check:
        lines += ["", *words.wrap(one.note, f"{indent}  ")]
        lines += [f"{indent}    {line}".rstrip() for line in one.lines]
    return lines


# --------------------------------------------------------------------- entries


@functools.cache
def _entries() -> dict[str, Entry]:
    return msgspec.convert(read("findings.toml"), dict[str, Entry])


def _entry(code: str, mx: str | None, facts: Facts) -> Entry:
    entry = _entries().get(code) or _entries()[UNKNOWN]
    form = facts.get("form", "")
    if form not in entry.form and mx is None:
        form = "domain"
    return _formed(entry, form)


def _formed(entry: Entry, form: str) -> Entry:
    other = entry.form.get(form)
    if other is None:
        return entry
    said = {key: value for key, value in msgspec.structs.asdict(other).items() if value is not None}
    return msgspec.structs.replace(entry, **said)


def _effects(entry: Entry, facts: Facts) -> list[str]:
    """What happens to mail, by the policy in force and by DANE."""
    mode, dane = facts.get("mode", "none"), facts.get("dane", "")
    if dane in _REFUSED and mode + _BESIDE in entry.effect:
        mode += _BESIDE
    rows = (mode, f"dane_{dane}")
    return [entry.effect[row] for row in rows if row in entry.effect]


def _phrase(short: str, place: str, mx: str | None) -> str:
    if mx is None:
        return short
    joined = f"{short}:" if place == ":" else f"{short} {place}"
    return f"{joined} {words.name(mx)}"


# --------------------------------------------------------------------- filling


class _Filler:
    """Puts names and facts into texts, made safe."""

    def __init__(
        self, target: str, mx: str | None, facts: Facts, now: Time, show: Show = words.safe
    ) -> None:
        self._values = {key: _fact(value, now, show) for key, value in facts.items() if value}
        if "seen" in self._values:
            self._values["seen"] = self._values["seen"].replace(SEVERAL, '" and "')
        self._values["domain"] = words.name(target)
        if mx is not None:
            self._values["mx"] = words.name(mx)

    def all(self, texts: Iterable[str]) -> Iterator[str]:
        """Those of *texts* of which all facts are there."""
        for one in texts:
            if all(place in self._values for place in _PLACE.findall(one)):
                yield self.always(one)

    def some(self, texts: Sequence[str]) -> list[str]:
        """As `all`; where none is left the first one, though it has a gap."""
        return list(self.all(texts)) or [self.always(one) for one in texts[:1]]

    def always(self, one: str) -> str:
        """*one*, with its gaps marked as such."""
        # In one pass: what a stranger wrote may look like a place for something else.
        return _PLACE.sub(lambda place: self._values.get(place[1], "(not known)"), one)


def _fact(value: str, now: Time, show: Show) -> str:
    if _MOMENT.fullmatch(value) is None:
        return show(value, FACT_CHARS)
    try:
        return words.moment(int(datetime.fromisoformat(value).timestamp()), now)
    except (ValueError, OverflowError):
        return value


# --------------------------------------------------------------- lines to paste


def _lines(entry: Entry, names: commands.Names, facts: Facts) -> Iterator[str]:
    """What to publish; where that is not harmless to paste, the command that prints it."""
    if not entry.lines:
        return
    blocks = [pasting.folded(facts[key]) for key in ("line", "sts_line") if facts.get(key)]
    safe = [block for block in blocks if block is not None]
    if len(safe) < len(blocks) or (not blocks and entry.lines == "record"):
        yield from commands.shell(_RECORD if entry.lines == "record" else _JSON, names)
        return
    for at, block in enumerate(safe):
        yield from ("", *block) if at else block


def _shown(check: Check, names: commands.Names) -> Shown:
    outcome = commands.outcome(check, names)
    lines = (*commands.shell(check, names), *([""] if outcome else []), *outcome)
    return Shown(names.fill(check.note), lines)
