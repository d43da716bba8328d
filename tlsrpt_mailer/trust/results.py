"""
What an MTA of ours found (Authentication-Results, RFC 8601), read with allowances.

Whoever sends a mail can write such a field too: only ids that the operator
names are believed, and ours must take out forged ones at the border.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from tlsrpt_mailer.report.hosts import normalise_host
from tlsrpt_mailer.trust.message import Message, author_domain, doubled
from tlsrpt_mailer.trust.model import Verdict
from tlsrpt_mailer.trust.signature import claimed_domain, covers_type, has_length, is_aligned

NO_ID = "-"
"""In the list of ids: the topmost field without one, as Microsoft 365 writes it."""
_LONGEST = 16 * 1024
_MOST = 50

_TOLD = 3
"""Findings that are told of."""

_FIELD = b"authentication-results"
_RESULT = re.compile(r"[a-z]{1,20}")
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"|([^\s;="()]++)|(.)', re.DOTALL)


def vouched(
    mail: Message, ids: Collection[str], organisational: Callable[[str], str | None]
) -> Verdict | None:
    """
    The verdict ``pass`` where a trusted field says that the author's domain signed; else None.

    Args:
        mail: The mail as it was taken; never one that was forwarded within another.
        ids: Whose fields are believed, in lower case; `NO_ID` for those without an id.
        organisational: A host name to its organisational domain, None where there is none.

    """
    if doubled(mail):
        return None
    author = author_domain(mail)
    for server, found in _trusted(mail, ids):
        for word, domain in found:
            if word != "pass" or domain is None:
                continue
            if is_aligned(domain, author, organisational) and not _in_part(mail, domain):
                said = f"signed by {domain}, says {_name(server)}"
                return Verdict("pass", said, domain, _covers_type(mail, domain))
    return None


def said_instead(mail: Message, ids: Collection[str]) -> str:
    """
    What the trusted fields say where they vouch for nothing, in words for a person.

    Args:
        mail: As for `vouched`.
        ids: Likewise; not empty.

    """
    if twice := doubled(mail):
        return f"with two {twice} fields, what an MTA found proves nothing"
    fields = list(_trusted(mail, ids))
    if not fields:
        only = next(iter(ids)) if len(ids) == 1 else "any of authserv_ids"
        by = "without a name" if only == NO_ID else f"by {only}"
        return f"no Authentication-Results is {by}"
    findings = dict.fromkeys(
        (_name(server), _finding(word, domain))
        for server, found in fields
        for word, domain in found
    )
    if not findings:
        return f"{_name(fields[0][0])} says nothing of dkim"
    said: dict[str, list[str]] = {}
    for server, finding in list(findings)[:_TOLD]:
        said.setdefault(server, []).append(finding)
    return ", ".join(f"{server} says {' and '.join(found)}" for server, found in said.items())


def _name(server: str | None) -> str:
    return server or "the topmost without a name"


def _finding(word: str, domain: str | None) -> str:
    return f"dkim={word}" + (f" for {domain}" if domain else "")


def _trusted(
    mail: Message, ids: Collection[str]
) -> Iterator[tuple[str | None, list[tuple[str, str | None]]]]:
    """Who wrote each field that is believed, and what it found of DKIM."""
    is_topmost = True
    for value in mail.values(_FIELD)[:_MOST]:
        server, found = _read(value)
        if server is None:
            is_trusted, is_topmost = NO_ID in ids and is_topmost, False
        else:
            is_trusted = server in ids
        if is_trusted:
            yield server, found


def vouching(mail: Message, organisational: Callable[[str], str | None]) -> str | None:
    """The id of the topmost field if it says so, trusted or not; for a proposal."""
    author = author_domain(mail)
    for value in mail.values(_FIELD)[:1]:
        server, found = read_results(value)
        if any(is_aligned(domain, author, organisational) for domain in found):
            return server or NO_ID
    return None


def read_results(value: bytes) -> tuple[str | None, tuple[str, ...]]:
    """The id of who wrote the field (None: it has none), and the domains of ``dkim=pass``."""
    server, found = _read(value)
    passed = (domain for word, domain in found if word == "pass" and domain is not None)
    return server, tuple(dict.fromkeys(passed))


def _read(value: bytes) -> tuple[str | None, list[tuple[str, str | None]]]:
    clauses = _clauses(value[:_LONGEST].decode("utf-8", "replace"))
    server = None
    if clauses and "=" not in clauses[0] and clauses[0]:
        server = clauses.pop(0)[0].lower().rstrip(".")
    return server, [found for clause in clauses if (found := _of_dkim(clause)) is not None]


def _clauses(text: str) -> list[list[str]]:
    """The tokens between semicolons, without comments; quoted strings are one token."""
    clauses: list[list[str]] = [[]]
    depth = 0
    for quoted, word, mark in _TOKEN.findall(text):
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth = max(0, depth - 1)
        elif depth or mark.isspace():
            continue
        elif mark == ";":
            clauses.append([])
        elif mark != '"':
            clauses[-1].append(word or mark or quoted)
    return clauses


def _of_dkim(clause: Sequence[str]) -> tuple[str, str | None] | None:
    """
    What it says of a signature, and of whose; None where it says nothing of one.

    Whose is in header.d, else in header.i (as Google writes it).
    """
    pairs = {
        clause[at - 1].lower(): clause[at + 1]
        for at in range(len(clause) - 2, 0, -1)
        if clause[at] == "="
    }
    method = clause[0].lower().partition("/")[0] if len(clause) > 2 and clause[1] == "=" else ""
    if method != "dkim" or not _RESULT.fullmatch(word := clause[2].lower()):
        return None
    domain = pairs.get("header.d") or pairs.get("header.i", "").rpartition("@")[2]
    return word, normalise_host(domain)


def _in_part(mail: Message, domain: str) -> bool:
    """Whether all signatures of *domain* here cover the body in part: RFC 8460, 3 forbids that."""
    own = _own(mail, domain)
    return bool(own) and all(has_length(one) for one in own)


def _covers_type(mail: Message, domain: str) -> bool:
    """Whether whichever signature of *domain* was found to be good covers Content-Type."""
    own = _own(mail, domain)
    return bool(own) and all(covers_type(one) for one in own)


def _own(mail: Message, domain: str) -> list[bytes]:
    return [one for one in mail.values(b"dkim-signature")[:_MOST] if claimed_domain(one) == domain]
