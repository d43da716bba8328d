"""
MTA-STS (RFC 8461): the record at ``_mta-sts.DOMAIN``, and the policy that it announces.

The policy stands at ``https://mta-sts.DOMAIN/.well-known/mta-sts.txt``.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tlsrpt_mailer.domains.fields import candidates, read_fields
from tlsrpt_mailer.domains.flaw import Flaw, fatal, first, risky
from tlsrpt_mailer.report.hosts import domain_text, is_strict_host, normalise_host
from tlsrpt_mailer.report.model import Mode
from tlsrpt_mailer.report.times import DAY, Span, Time, iso

PLACE = "_mta-sts."
"""In front of the domain: where the record stands."""
VERSION = "STSv1"

_KNOWN = ("id",)
_OTHER_KINDS = frozenset({"dmarc", "tlsrpt"})
_ID = re.compile(r"[a-z0-9]{1,32}", re.ASCII | re.IGNORECASE)

LONGEST_AGE: Span = 31_557_600
"""RFC 8461, 3.2: a year."""
USUAL_AGE: Span = 7 * DAY

_MODES: dict[str, Mode] = {"enforce": "enforce", "testing": "testing", "none": "none"}
_KEYS = ("version", "mode", "max_age", "mx")

_LINE_END = re.compile(r"\r?\n")
# The value may hold blanks inside; those behind it belong to the line's end.
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*([^\x00-\x20\x7f][^\x00-\x1f\x7f]*)")
_AGE = re.compile(r"[0-9]{1,10}")


class StsRecord(msgspec.Struct, frozen=True):
    """What a domain announces; *text* is None where that is no record, or more than one."""

    text: str | None
    id: str | None = None
    """Changes when the policy does; None where it is not as it should be."""
    flaws: tuple[Flaw, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether a sender that keeps to the RFC goes on and fetches the policy."""
        return self.text is not None and not any(flaw.is_fatal for flaw in self.flaws)


def parse_sts(texts: Iterable[str]) -> StsRecord:
    """Find the one record among the TXT records of a name, and read it."""
    there = candidates(texts, VERSION, _KNOWN)
    counted = there.found or there.loose
    if len(counted) > 1:
        many = fatal("several", count=str(len(counted)), version=VERSION)
        return StsRecord(None, flaws=(many,))
    if not counted:
        return StsRecord(None, flaws=first(flaw for _, flaw in there.near))
    fields = read_fields(counted[0], VERSION, _KNOWN)
    ids = [value for name, value in fields.pairs if name in _KNOWN]
    flaws = [*fields.flaws, *([] if ids else [fatal("no-id")])]
    flaws += [fatal("id-value", one) for one in ids if _ID.fullmatch(one) is None]
    if there.loose and there.loose != counted:
        flaws.append(risky("second", there.loose[0]))
    right = ids[0] if ids and _ID.fullmatch(ids[0]) else None
    return StsRecord(counted[0], right, first(flaws))


def is_meant(text: str) -> bool:
    """Whether *text* is such a record, or was meant to be one."""
    there = candidates([text], VERSION, _KNOWN)
    near = any(flaw.code not in _OTHER_KINDS for _, flaw in there.near)
    return bool(there.found or there.loose or near)


def sts_text(at: Time, not_id: str | None = None) -> str:
    """
    A record that is right.

    Args:
        at: What its id is made of.
        not_id: The id that it must not have, since that one stands there.
    """
    made = re.sub(r"\W|Z", "", iso(at))
    return f"v={VERSION}; id={made if made != not_id else made + 'b'};"


# ---------------------------------------------------------------------- policy


class Policy(msgspec.Struct, frozen=True):
    """A policy as a sender reads it."""

    mode: Mode | None = None
    max_age: Span | None = None
    mx: tuple[str, ...] = ()
    """Host names, in lower case; ``*.`` in front of one stands for any one label."""
    flaws: tuple[Flaw, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether a sender that keeps to the RFC takes it."""
        return not any(flaw.is_fatal for flaw in self.flaws)


def parse_policy(text: str) -> Policy:
    """Read the file; whatever it holds, `Policy.flaws` say what is wrong with it."""
    whole = _whole(text)
    if whole is not None:
        return Policy(flaws=(fatal(whole),))
    flaws: list[Flaw] = []
    pairs = list(_pairs(text, flaws))
    values: dict[str, str] = {}
    for key, value in pairs:
        if key in values and key != "mx":
            flaws.append(risky("line-twice", key))
        values.setdefault(key, value)
    mode = _MODES.get(values.get("mode", ""))
    mx = [value for key, value in pairs if key == "mx"]
    flaws += _missing(values)
    flaws += [fatal("mx-value", one) for one in mx if not _is_pattern(one)]
    if not mx and mode != "none":
        flaws.append(fatal("no-mx"))
    age = values.get("max_age", "")
    patterns = tuple(one.lower() for one in mx if _is_pattern(one))
    return Policy(mode, int(age) if _is_age(age) else None, patterns, first(flaws))


def _whole(text: str) -> str | None:
    """What makes the file as a whole no policy."""
    if not text.strip():
        return "empty-file"
    if text.startswith("\ufeff"):
        return "bom"
    return "html" if text.lstrip().startswith("<") else None


def _pairs(text: str, flaws: list[Flaw]) -> Iterator[tuple[str, str]]:
    lines = _LINE_END.split(text)
    if not lines[-1]:
        lines.pop()
    for line in lines:
        found = _LINE.fullmatch(line.rstrip(" \t"))
        if found is not None:
            yield found[1], found[2]
        elif line.strip(" \t"):
            flaws.append(fatal("line", line))
        else:
            # Not in the grammar, but at the end of many a file that works.
            flaws.append(risky("empty-line"))


def _missing(values: dict[str, str]) -> Iterator[Flaw]:
    """What must stand there once, and does not, or not so."""
    near = {_bare(key): key for key in values if key not in _KEYS}
    found = ((near.get(_bare(key)), key) for key in _KEYS)
    yield from (risky("key-near", written, right=key) for written, key in found if written)
    if "version" not in values:
        yield fatal("no-version-line")
    elif values["version"] != "STSv1":
        yield fatal("version-value", values["version"])
    if "mode" not in values:
        yield fatal("no-mode")
    elif values["mode"] not in _MODES:
        yield fatal("mode-value", values["mode"])
    if "max_age" not in values:
        yield fatal("no-max-age")
    elif not _is_age(values["max_age"]):
        yield fatal("max-age-value", values["max_age"])


def _bare(key: str) -> str:
    return re.sub("[-_]", "", key.lower())


def _is_age(text: str) -> bool:
    return _AGE.fullmatch(text) is not None and int(text) <= LONGEST_AGE


def _is_pattern(text: str) -> bool:
    return is_strict_host(text.removeprefix("*."))


def covers(patterns: Iterable[str], host: str) -> bool:
    """
    Whether a policy with these ``mx`` lines lets mail go to *host*.

    ``*.example.com`` fits ``mx1.example.com`` alone, not ``example.com`` nor
    ``a.mx1.example.com`` (RFC 8461, 4.1).
    """
    name = domain_text(host)
    above = "*." + name.partition(".")[2]
    return any(one in {name, above} for one in map(domain_text, patterns))


def policy_text(mode: Mode, hosts: Sequence[str], max_age: Span = USUAL_AGE) -> str:
    """
    A policy that is right: what to serve in place of one that is not.

    Args:
        mode: Becomes ``none`` where no MX host has a name that a policy may hold.
        hosts: The MX hosts, or patterns.
        max_age: In seconds; cut to what is allowed.
    """
    named = dict.fromkeys(one for one in map(_pattern, hosts) if one is not None)
    if not named:
        mode = "none"
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {one}" for one in named)]
    return "\n".join([*lines, f"max_age: {min(max(max_age, 0), LONGEST_AGE)}"]) + "\n"


def _pattern(host: str) -> str | None:
    star = "*." if host.startswith("*.") else ""
    name = normalise_host(host.removeprefix("*."))
    return None if name is None else star + name
