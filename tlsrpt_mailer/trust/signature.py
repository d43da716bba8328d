"""
One DKIM signature: what it says, and the rules that need no key.

RFC 6376, 3.5; RFC 8301 (no SHA-1); RFC 8460, 3 (no l=).
"""

import re
from collections.abc import Callable

import msgspec

from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.report.hosts import MAX_HOST, normalise_host
from tlsrpt_mailer.report.times import HOUR, Span, Time
from tlsrpt_mailer.trust.tags import tags

SLACK: Span = 10 * HOUR
"""How far the clocks of senders are off; as much as dkimpy grants."""
MAX_SIGNED_FIELDS = 200
MAX_BLANKS = 64
"""In a row; the expression that empties b= needs the square of it."""

_ALGORITHMS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
_CANONICAL = ("simple", "relaxed")
_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)
_SELECTOR = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,200}[A-Za-z0-9_])?", re.ASCII)
_LONG_BLANK = re.compile(rb"\s{%d}" % MAX_BLANKS)


class Signature(msgspec.Struct, frozen=True):
    """A signature whose form is right."""

    place: int
    """Which of the mail's DKIM-Signature fields it is, from 0."""
    domain: str
    selector: str
    key_kind: str
    relaxed_header: bool
    relaxed_body: bool
    signed: tuple[str, ...]
    """The fields that it covers, in lower case."""
    body_hash: str
    value: str
    """b=, without blanks."""
    identity: str
    """The domain of i=."""
    canonical: str
    """c= as it is written."""

    @property
    def key_name(self) -> str:
        """Where its key is in DNS."""
        return f"{self.selector}._domainkey.{self.domain}"


def claimed_domain(value: bytes) -> str | None:
    """The d= of a signature, however wrong the rest of it may be."""
    try:
        return normalise_host(tags(value, "a signature").get("d", ""))
    except BadReport:
        return None


def has_length(value: bytes) -> bool:
    """Whether it covers the body in part only (l=): RFC 8460, 3 forbids that."""
    try:
        return "l" in tags(value, "a signature")
    except BadReport:
        return False


def covers_type(value: bytes) -> bool:
    """Whether Content-Type is among the fields that it covers."""
    try:
        names = tags(value, "a signature").get("h", "")
    except BadReport:
        return False
    return "content-type" in {name.strip().lower() for name in names.split(":")}


def is_aligned(
    domain: str, author: str | None, organisational: Callable[[str], str | None]
) -> bool:
    """
    Whether *domain* speaks for *author*: is it, or its parent within one organisation.

    Args:
        author: The domain in From.
        organisational: A host name to its organisational domain, None where there is none.

    """
    if author is None or (domain != author and not author.endswith("." + domain)):
        return False
    own = organisational(author)
    return own is not None and organisational(domain) == own


def signature(place: int, value: bytes, taken_at: Time) -> Signature:
    """
    Read one signature.

    Args:
        place: Which of the mail's signatures it is.
        value: The field.
        taken_at: When the mail came in: x= and t= are judged against that.

    Raises:
        BadReport: It cannot be valid; says why.

    """
    if _LONG_BLANK.search(value):
        raise BadReport("its signature is malformed")
    found = tags(value, "its signature")
    if found.get("v") != "1":
        raise BadReport("its signature is of another version")
    kind = _ALGORITHMS.get(found.get("a", "").lower())
    if kind is None:
        raise BadReport("its signature uses an algorithm that is not safe or not known")
    if "l" in found:
        raise BadReport("its signature covers a part of the body only (l=)")
    domain = normalise_host(found.get("d", ""))
    selector = found.get("s", "")
    if domain is None or _SELECTOR.fullmatch(selector) is None or ".." in selector:
        raise BadReport("its signature names no key")
    if len(selector) + len(domain) > MAX_HOST - len("._domainkey."):
        raise BadReport("its signature names no key")
    _check_times(found, taken_at)
    header, body = _canonical(found.get("c", ""))
    return Signature(
        place=place,
        domain=domain,
        selector=selector,
        key_kind=kind,
        relaxed_header=header,
        relaxed_body=body,
        signed=_signed(found.get("h", "")),
        body_hash=_base64(found.get("bh", "")),
        value=_base64(found.get("b", "")),
        identity=_identity(found.get("i"), domain),
        canonical=found.get("c", "simple/simple").lower() or "simple/simple",
    )


def _check_times(found: dict[str, str], taken_at: Time) -> None:
    times = {}
    for name in ("t", "x"):
        if name in found:
            if _NUMBER.fullmatch(found[name]) is None:
                raise BadReport("its signature is malformed")
            times[name] = int(found[name])
    if times.get("t", 0) > taken_at + SLACK:
        raise BadReport("its signature was made in the future (t=)")
    if "x" in times and times["x"] < times.get("t", 0):
        raise BadReport("its signature ended before it was made (x=)")
    if "x" in times and times["x"] < taken_at - SLACK:
        raise BadReport("its signature had expired when the mail came in (x=)")


def _canonical(text: str) -> tuple[bool, bool]:
    header, _, body = text.lower().partition("/")
    header, body = header or "simple", body or "simple"
    if header not in _CANONICAL or body not in _CANONICAL:
        raise BadReport("its signature is malformed")
    return header == "relaxed", body == "relaxed"


def _signed(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in text.split(":"))
    if len(names) > MAX_SIGNED_FIELDS:
        raise BadReport(f"its signature covers more than {MAX_SIGNED_FIELDS} fields")
    if "from" not in names:
        raise BadReport("its signature does not cover From")
    return names


def _base64(text: str) -> str:
    bare = "".join(text.split())
    if _BASE64.fullmatch(bare) is None or len(bare) % 4:
        raise BadReport("its signature is malformed")
    return bare


def _identity(text: str | None, domain: str) -> str:
    if text is None:
        return domain
    identity = normalise_host(text.rpartition("@")[2])
    if identity is None or (identity != domain and not identity.endswith("." + domain)):
        raise BadReport("its signature is for another domain than its own (i=)")
    return identity
