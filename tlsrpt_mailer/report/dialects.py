"""
What is peculiar to each reporter: names, habits, and the words for why.

A ``failure-reason-code`` is free text. Each is mapped to one class of a closed
list, so that a new host name or time in it is never taken for a new failure.
Seen in real reports: Microsoft's two codes, Mail.ru's texts, Momentum's. From
source code: mox. The others are the words of the TLS libraries senders use
(Go, OpenSSL, rustls, Java).
"""

import functools
import re

UNCLASSIFIED = "unclassified"

KNOWN_REPORTERS: dict[str, str] = {
    "google.com": "Google",
    "microsoft.com": "Microsoft",
    "mail.ru": "Mail.ru",
    "yahoo.com": "Yahoo",
    "yahooinc.com": "Yahoo",
    "comcast.net": "Comcast",
    "socketlabs.com": "SocketLabs",
}
"""Organisational domains of senders of TLS reports that everybody knows, and their names."""

MAILBOX_PROVIDERS = frozenset({"comcast.net", "mail.ru", "yahoo.com"})
"""
Those of them that sign for anybody who has a mailbox with them.

So a name that merely sounds of reports proves nothing there: a customer may have chosen it.
Mail.ru was seen to report as corp.mail.ru, which signs for its own people.
"""

REPORTING_ADDRESSES: dict[str, re.Pattern[str]] = {
    "google.com": re.compile(r"noreply-smtp-tls-reporting"),
    "microsoft.com": re.compile(r"(?=.*tls)(?=.*(?:rep|rpt)).*"),
}
"""
The local part in From of a known reporter's reports, by its organisational domain.

Google's as in its reports of 2022 to 2026. Of Microsoft's only the contact-info of its reports
was seen (tlsrpt-noreply), so what sounds like that will do: nobody outside has a mailbox there.
Both domains sign mails in which strangers have their say (shared files, invitations): no other
address of theirs reports.
"""

REPORTING_BELOW: dict[str, re.Pattern[str]] = {"mail.ru": re.compile(r"no-?reply.*|.*tls.*")}
"""The same where a name below theirs signs. Mail.ru's: noreply-... at corp.mail.ru."""

SOUNDS_LIKE_REPORTS = re.compile(r"(?=.*tls)(?=.*(?:rep|rpt)).*")
"""Local parts that a known reporter may report from of which no address has been seen."""

MACHINES = frozenset(
    {
        "no-reply",
        "no_reply",
        "noreply",
        "noreply-smtp-tls-reporting",
        "smtp-tls-reporting",
        "tls-reports",
        "tlsrpt",
        "tlsrpt-noreply",
    }
)
"""
Local parts that no provider gives away as a mailbox. Whole names: others begin as one likes.

None of `QUOTING` is among them.
"""

QUOTING = frozenset({"mailer-daemon", "postmaster"})
"""Local parts of machines that send mails back, and quote what a stranger wrote."""

REGENERATES = frozenset({"microsoft.com"})
"""
Reporters that give a report made anew another report-id.

Microsoft's begins with the time it was made (a Windows FILETIME).
"""

# Each row: the class, then the phrases, in lower case with single blanks for
# all punctuation. The first row that has a phrase of the text decides, so what
# is specific stands before what is general, and certificates before the network.
_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("sender-side", ("no system roots", "system roots", "no root store", "empty root store")),
    (
        "mx-not-in-policy",
        (
            "mx hosts mismatch",
            "mx host mismatch",
            "mx mismatch",
            "mx hosts of",  # Microsoft's bounce: MX hosts of DOMAIN failed MTA-STS validation
            "mx not in policy",
            "mx not in the policy",
            "mx not listed",
            "mx not allowed",
            "mx host not allowed",
            "mx does not match",
            "mx host does not match",
            "no matching mx",
            "not match any mx",
            "not listed in the policy",
            "not in mta sts policy",
        ),
    ),
    (
        "dane-mismatch",
        (
            "dane no match",
            "no matching dane",
            "no matching tlsa",
            "tlsa mismatch",
            "no tlsa record matches",
            "no tlsa records match",
            "no tlsa record matched",
            "not match tlsa",
        ),
    ),
    (
        "client-certificate",
        ("client certificate", "peer did not return a certificate", "certificate required"),
    ),
    ("revoked", ("revoked",)),
    ("expired", ("has expired or is not yet valid", "has expired", "cert expired", "expired")),
    ("not-yet-valid", ("not yet valid", "not valid yet")),
    (
        "name-mismatch",
        (
            "hostname mismatch",
            "host name mismatch",
            "host mismatch",
            "name mismatch",
            "ip address mismatch",
            "certificate is valid for",
            "not valid for any names",
            "not valid for name",
            "cannot validate certificate for",
            "legacy common name",
            "does not match host",
            "does not match hostname",
            "does not match the host",
            "does not match the hostname",
            "doesn t match",
            "subject does not match",
            "does not match target host",
            "no subject alternative",
            "no alternative certificate subject name",
            "unrecognized name",
        ),
    ),
    (
        "ca-rules",
        (
            "not authorized to sign",
            "too many intermediates",
            "name constraint",
            "name constraints",
            "cert chain too long",
            "certificate chain too long",
            "path length constraint",
            "pathlen",
            "invalid ca",
            "invalid ca certificate",
            "invalid purpose",
            "certificate purpose",
            "incompatible key usage",
            "permitted violation",
            "permitted subtree violation",
            "excluded violation",
            "excluded subtree violation",
        ),
    ),
    (
        "weak",
        (
            "key too small",
            "key too short",
            "key too weak",
            "md too weak",
            "digest algorithm too weak",
            "insecure algorithm",
            "weak key",
            "weak signature",
        ),
    ),
    (
        "self-signed",
        ("self signed", "depth zero self signed cert", "self signed cert in chain"),
    ),
    (
        "untrusted-chain",
        (
            "unable to get issuer cert",
            "unable to get issuer certificate",
            "unable to get local issuer certificate",
            "unable to verify leaf signature",
            "unable to verify the first certificate",
            "cert untrusted",
            "certificate not trusted",
            "not trusted",
            "untrusted",
            "unknown authority",
            "unknown issuer",
            "unknown ca",
            "unknown certificate authority",
            "bad certificate",
            "pkix path building failed",
        ),
    ),
    (
        "protocol-version",
        (
            "protocol version",
            "unsupported protocol",
            "unsupported version",
            "no supported versions",
            "no protocols available",
            "version too low",
            "inappropriate fallback",
        ),
    ),
    (
        "no-common-cipher",
        (
            "handshake failure",
            "no shared cipher",
            "no common cipher",
            "no cipher match",
            "no ciphers available",
            "no cipher suite",
            "no cipher suites",
            "insufficient security",
        ),
    ),
    (
        "not-tls",
        (
            "record header error",
            "wrong version number",
            "does not look like a tls handshake",
            "oversized record",
            "unknown protocol",
            "packet length too long",
            "not a tls",
        ),
    ),
    (
        "dns",
        (
            "no such host",
            "host not found",
            "nxdomain",
            "servfail",
            "name or service not known",
            "name resolution",
            "could not resolve",
            "server misbehaving",
            "dns error",
            "dns lookup",
            "dns timeout",
        ),
    ),
    (
        "http-status",
        ("response code", "http status", "status code", "http code", "http error", "bad https"),
    ),
    (
        "http-unreachable",
        (
            "do http request",
            "http request",
            "https request",
            "fetch policy",
            "policy fetch",
            "connection refused",
            "no route to host",
            "network is unreachable",
        ),
    ),
    (
        "handshake-timeout",
        (
            "timeout during handshake",
            "handshake timeout",
            "io timeout",
            "i o timeout",
            "timed out",
            "timeout",
            "time out",
            "deadline exceeded",
        ),
    ),
    (
        "connection-closed",
        (
            "connection closed",
            "closed during handshake",
            "connection reset",
            "connection aborted",
            "connection lost",
            "lost connection",
            "broken pipe",
            "unexpected eof",
            "eof",
            "internal error",
        ),
    ),
    (
        "generic",
        (
            "validation failure",
            "validation failed",
            "verification failed",
            "certificate verify failed",
            "certificate verification error",
            "failed mta sts validation",
            "unknown error",
            "unspecified",
            "other",
        ),
    ),
)

# What OUR server said, in a TLS alert to the sender: mox writes its number and
# name, Go "remote error: tls: NAME", OpenSSL "tlsv1 alert NAME".
_REMOTE = ("tls remote alert", "remote error", "sslv3 alert", "tlsv1 alert", "received fatal alert")
_REMOTE_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("no-common-cipher", ("handshake failure", "insufficient security")),
    ("protocol-version", ("protocol version", "inappropriate fallback")),
    ("name-mismatch", ("unrecognized name",)),
    ("connection-closed", ("internal error", "user canceled", "close notify")),
    (
        "client-certificate",
        (
            "bad certificate",
            "unsupported certificate",
            "revoked certificate",
            "certificate revoked",
            "expired certificate",
            "certificate expired",
            "unknown certificate",
            "certificate unknown",
            "unknown ca",
            "unknown certificate authority",
            "certificate required",
        ),
    ),
)
_REMOTE_ALERTS: dict[str, str] = {
    "40": "no-common-cipher",
    "71": "no-common-cipher",
    **dict.fromkeys(("42", "43", "44", "45", "46", "48", "116"), "client-certificate"),
    "70": "protocol-version",
    "80": "connection-closed",
    "112": "name-mismatch",
}
"""TLS alert numbers (RFC 8446, 6) that came from our server."""

REASON_CLASSES: tuple[str, ...] = (*(name for name, _ in _PHRASES), UNCLASSIFIED)
"""The closed list."""

_Index = dict[str, tuple[tuple[int, str], ...]]


def _index(rows: tuple[tuple[str, tuple[str, ...]], ...]) -> _Index:
    """The phrases by their first word, each with the number of its row."""
    found: dict[str, list[tuple[int, str]]] = {}
    for number, (_, phrases) in enumerate(rows):
        for phrase in phrases:
            found.setdefault(phrase.partition(" ")[0], []).append((number, f" {phrase} "))
    return {first: tuple(entries) for first, entries in found.items()}


_PHRASES_BY_WORD = _index(_PHRASES)
_REMOTE_BY_WORD = _index(_REMOTE_PHRASES)

_LONGEST = 512
"""A reason stands at the beginning; what a stack trace says behind it is not read."""

_WORDS = 64
MOST_REASONS = 200
"""How many different texts of one report are put into classes; the others are `UNCLASSIFIED`."""

_EDGES = "\"'()[]<>{},;:.!?"
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PUNCTUATION = re.compile(r"[^a-z0-9]+")
_ADDRESS = frozenset("0123456789abcdefABCDEF:")


def reason_class(text: str | None) -> str | None:
    """
    The class of a failure-reason-code; None for no text.

    Letter case and punctuation make no difference; host names, addresses and
    URLs are cut out first, so that a host called ``expired.example`` is not
    taken for a reason. What fits nothing is `UNCLASSIFIED`.
    """
    return None if text is None or not text.strip() else _class_of(text[:_LONGEST])


class ReasonClasses:
    """The classes of one report's reasons: a report may hold thousands, each of them another."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def of(self, text: str | None) -> str | None:
        """As `reason_class`, for the first `MOST_REASONS` different texts."""
        if text is not None and text not in self._seen:
            if len(self._seen) >= MOST_REASONS:
                return UNCLASSIFIED
            self._seen.add(text)
        return reason_class(text)


@functools.lru_cache(maxsize=1024)
def _class_of(text: str) -> str:
    words = _words(text)
    if any(mark in words for mark in _REMOTE):
        alert = words.partition(" tls remote alert ")[2].partition(" ")[0]
        remote = _REMOTE_ALERTS.get(alert) or _first(_REMOTE_PHRASES, _REMOTE_BY_WORD, words)
        if remote is not None:
            return remote
    return _first(_PHRASES, _PHRASES_BY_WORD, words) or UNCLASSIFIED


def _first(rows: tuple[tuple[str, tuple[str, ...]], ...], index: _Index, words: str) -> str | None:
    """The class of the first row that has a phrase of *words*."""
    best = len(rows)
    for word in index.keys() & words.split():
        for number, phrase in index[word]:
            if number < best and phrase in words:
                best = number
    return rows[best][0] if best < len(rows) else None


def _words(text: str) -> str:
    """*text* in lower case, a blank before, between and behind all words, and no names in it."""
    kept = " ".join(token for token in text.split(None, _WORDS)[:_WORDS] if not _is_name(token))
    return f" {_PUNCTUATION.sub(' ', _HUMP.sub(' ', kept).lower()).strip()} "


def _is_name(token: str) -> bool:
    """Whether a word is a host name, an address, a number with dots, or a URL."""
    bare = token.strip(_EDGES)
    return (
        "." in bare or "@" in bare or "://" in bare or (":" in bare and _ADDRESS.issuperset(bare))
    )
