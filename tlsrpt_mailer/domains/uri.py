"""
Where reports go: the URIs of ``rua=`` (RFC 8460, 3; RFC 3986; RFC 6068).

What is wrong with one is said, and what can be read of it all the same is read.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

from tlsrpt_mailer.domains.fields import BLANKS
from tlsrpt_mailer.domains.flaw import Flaw, fatal, risky
from tlsrpt_mailer.report.hosts import domain_text, is_ip, is_strict_host, normalise_host

LONGEST = 500
"""Characters of a URI that is kept when a record is mended."""
_LOCAL_CHARS = 64
"""RFC 5321, 4.5.3.1.1."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.ASCII | re.IGNORECASE)
# A leftover of old DMARC records (RFC 7489, 6.2); here a "!" must be written %21.
_SIZE = re.compile(r"![0-9]+[kmgt]?$", re.ASCII | re.IGNORECASE)
_PERCENT = re.compile(r"%(?![0-9a-f]{2})", re.ASCII | re.IGNORECASE)

# RFC 3986, appendix A, without "!", "," and ";" (RFC 8460, 3).
_PLAIN = r"[a-z0-9._~$&'()*+=-]|%[0-9a-f]{2}"
_PCHAR = rf"(?:{_PLAIN}|[:@])"
_AUTHORITY = rf"(?:(?:{_PLAIN}|:)*@)?(?:\[[0-9a-f:.v]+\]|(?:{_PLAIN})*)(?::[0-9]*)?"
_PATHS = rf"//{_AUTHORITY}(?:/{_PCHAR}*)*|/?(?:{_PCHAR}+(?:/{_PCHAR}*)*)?"
_REST = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_URI = re.compile(rf"[a-z][a-z0-9+.-]*:(?:{_PATHS}){_REST}", re.ASCII | re.IGNORECASE)
_HTTPS = re.compile(r"https://([^/?#]*)", re.ASCII | re.IGNORECASE)
_HTTPS_REST = "/?&=:@%+-._~[]"

_JUNK = re.compile('["\\\\<>\u2018-\u201f\ufeff]')
_MAILTO = re.compile(r"mailto:(?://)?", re.ASCII | re.IGNORECASE)


def is_reportable(uri: str) -> bool:
    """Whether *uri* has a scheme that reports go by: ``mailto:`` or ``https:``."""
    scheme = _SCHEME.match(uri)
    return scheme is not None and scheme[0].lower() in {"mailto:", "https:"}


def flaws_of(uri: str) -> Iterator[Flaw]:
    """
    What is wrong with *uri*, the worst first.

    It may have a blank in front, which belongs to no delimiter of the list.
    """
    shape = _shape(uri)
    if shape is not None:
        yield fatal(shape, uri.strip(BLANKS))
    elif not is_reportable(uri):
        yield risky("scheme", uri)
    else:
        yield from _target(uri)


def is_usable(uri: str) -> bool:
    """Whether a sender can deliver by *uri*."""
    return not any(flaw.code != "dot" for flaw in flaws_of(uri))


def _shape(uri: str) -> str | None:
    """What makes it no URI at all."""
    found = next((code for mark, code in _MARKS if mark.search(uri)), None)
    if not uri or (found is None and _SCHEME.match(uri) is None):
        return "bare" if uri else "comma"
    if found is None and _URI.fullmatch(uri) is None:
        return "uri-character"
    return found


_MARKS = (
    (re.compile(r"\\"), "uri-backslash"),
    (re.compile('["\u2018-\u201f]'), "uri-quotes"),
    (re.compile(r"[ \t]"), "uri-blank"),
    (re.compile(r"[^\x00-\x7f]"), "uri-non-ascii"),
    (_SIZE, "size"),
    (re.compile("!"), "exclamation"),
    (_PERCENT, "percent"),
)


def _target(uri: str) -> Iterator[Flaw]:
    """What keeps reports from getting there by a URI that is none the worse for it."""
    web = _HTTPS.match(uri)
    if uri[:5].lower() == "https":
        if web is None or not _is_web_host(web[1]):
            yield risky("no-host", uri)
        return
    bare = uri.partition("?")[0]
    if bare[7:9] == "//":
        yield fatal("slashes", uri)
        return
    local, _, domain = unquote(bare[7:]).rpartition("@")
    host = normalise_host(domain)
    # One that is part of a local part is written %40 (RFC 6068, 2).
    if host is None or not _is_local(local) or bare.count("@") > 1:
        yield risky("no-address", uri)
    elif "." not in host:
        yield risky("no-dot", uri)
    elif domain.endswith("."):
        yield risky("dot", uri)


def _is_local(text: str) -> bool:
    """Whether a mail server could know such a local part, decoded."""
    fits = 0 < len(text) <= _LOCAL_CHARS and text.isprintable() and "\ufffd" not in text
    is_quoted = len(text) > 2 and text[0] == text[-1] == '"'
    return fits and (is_quoted or " " not in text)


def _is_web_host(authority: str) -> bool:
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return is_ip(host[1:].partition("]")[0])
    host = host.partition(":")[0]
    return is_strict_host(host) or is_ip(host)


def addresses_of(uri: str) -> Iterator[str]:
    """The addresses of a ``mailto:`` URI (RFC 6068): without header fields, decoded."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "mailto":
        return
    for one in _SIZE.sub("", rest.partition("?")[0]).split(","):
        local, at, domain = unquote(one).rpartition("@")
        if at and local:
            yield f"{local}@{normalise_host(domain) or domain_text(domain)}"


def mended(text: str) -> str | None:
    """
    *text* as a URI that a record may hold; None where nobody can tell where it should lead.

    It is written anew, in nothing but letters, digits and ``.-_~%:/?&=+@[]``: harmless in a zone
    file, in a shell and between quotes.
    """
    plain = _JUNK.sub("", text).strip(" \t'")
    if _HTTPS.match(plain):
        return _mended_https(plain)
    if _MAILTO.match(plain) is None and _SCHEME.match(plain):
        return None
    return _mended_mailto(_MAILTO.sub("", plain, count=1))


def _mended_https(plain: str) -> str | None:
    uri = "https:" + quote(
        _PERCENT.sub("%25", plain[6:].partition("#")[0]), safe=_HTTPS_REST, errors="replace"
    )
    host = _HTTPS.match(uri)
    fits = host is not None and "@" not in host[1] and next(flaws_of(uri), None) is None
    return uri if fits and len(uri) <= LONGEST else None


def _mended_mailto(rest: str) -> str | None:
    bare = _SIZE.sub("", rest).partition("?")[0]
    local, _, domain = unquote(bare).rpartition("@")
    host = normalise_host(domain)
    if host is None or "." not in host or not _is_local(local) or bare.count("@") > 1:
        return None
    uri = f"mailto:{quote(local, safe='+', errors='replace')}@{host}"
    return uri if len(uri) <= LONGEST and next(flaws_of(uri), None) is None else None
