"""What stood in DNS and what MX hosts showed at the last look at a domain, for `domains show`."""

from collections.abc import Iterator
from typing import Any

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.domains.seen import Seen, Shown
from tlsrpt_mailer.report.times import Time, iso

MOST = 5
"""So many texts at one name are shown."""
_NO_TLS = {
    "no-starttls": "STARTTLS not offered",
    "handshake": "TLS fails",
    "refused": "takes no mail from here",
    "unreachable": "does not answer",
    "timeout": "does not answer in time",
}


def records(seen: Seen) -> Iterator[str]:
    """What stands where a TLSRPT record belongs, each text on its line."""
    for text in seen.record.values[:MOST]:
        yield f'"{words.plain(text, 300)}"'


def lines(seen: Seen, now: Time) -> Iterator[str]:
    """What each address of the MX hosts showed; nothing where there was no probe."""
    rows = [(host.host, one) for host in seen.hosts for one in host.shown]
    if not rows:
        return
    yield ""
    yield "SHOWN on port 25"
    for host, one in rows:
        yield from words.wrap(
            f"{words.name(host)} {words.plain(one.ip, 60)}: {_shown(one, now)}", "      ", "  "
        )


def _shown(one: Shown, now: Time) -> str:
    if one.kind != "tls" or not one.chain:
        return _NO_TLS.get(one.kind, "no certificate")
    leaf = one.chain[0]
    names = words.listed([words.plain(name, 80) for name in leaf.names or (leaf.subject,)], 3)
    ends = "ended" if leaf.not_after < now else "ends"
    until = f"{ends} {words.moment(leaf.not_after, now)}"
    return f"{one.protocol or 'TLS'}, certificate for {names}, {until}"


def form(seen: Seen | None) -> dict[str, Any]:  # a JSON object
    """The same, for JSON."""
    hosts = () if seen is None else seen.hosts
    return {
        "records": [] if seen is None else list(seen.record.values),
        "shown": [
            {
                "mx": host.host,
                "ip": one.ip,
                "at": iso(one.at),
                "kind": one.kind,
                "protocol": one.protocol,
                "names": list(one.chain[0].names) if one.chain else [],
                "not_after": iso(one.chain[0].not_after) if one.chain else None,
            }
            for host in hosts
            for one in host.shown
        ],
    }
