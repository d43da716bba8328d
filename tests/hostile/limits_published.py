"""
Every limit on what a domain publishes and its hosts show; as `limits`, which see.

What waits for a server, or remembers by the clock, is seen at work in tests/net.
"""

import io
import smtplib
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import crypto

from tests.domains import sights
from tests.flows.sky import Sky
from tests.hostile.limits import Limit
from tlsrpt_mailer.alerts import found as texts
from tlsrpt_mailer.domains import drift, uri
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.record import mended, parse_record
from tlsrpt_mailer.domains.seen import Answer, RecordType, Seen
from tlsrpt_mailer.domains.sts import parse_policy
from tlsrpt_mailer.flows.looking import look_at
from tlsrpt_mailer.flows.probing import Prober
from tlsrpt_mailer.net import certificates, delivery, dialogue, https
from tlsrpt_mailer.net.scout import NetScout

DOMAIN, NOW = sights.DOMAIN, sights.NOW
RUA = "v=TLSRPTv1; rua=mailto:a@b.example"
LONG = "x" * 1_000
TWENTY = [f"127.9.9.{number}" for number in range(1, 21)]
"""Addresses that nobody listens at."""


def _flaws(text: str) -> Sequence[object]:
    return parse_record([text]).flaws


def _shown_of_flaw() -> int:
    return len(parse_record([f"{RUA}; {LONG}"]).flaws[0].facts["text"])


def _remembered(length: int) -> int:
    look = sights.seen(ns=sights.answer("x" * length))
    return len(drift.notes(look)["ns", ""])


def _finding(code: str, look: Seen) -> Finding:
    return next(one for one in sights.findings(look) if one.code == code)


def _probed(count: int) -> str:
    """The addresses that a finding names of so many without STARTTLS."""
    there = tuple(sights.silent("no-starttls", f"192.0.2.{number}") for number in range(count))
    look = sights.with_host(sights.host(shown=there))
    return _finding("mx-no-starttls", look).facts["addresses"]


def _names(count: int) -> str:
    own = sights.certificate(names=tuple(f"n{number}.example" for number in range(count)))
    look = sights.with_host(sights.host(shown=(sights.shown(chain=(own,), names_fit=False),)))
    return _finding("mx-certificate-name", look).facts["names"]


def _tlsa(count: int) -> str:
    records = [f"3 1 1 {number:064x}" for number in range(count)]
    look = sights.with_host(sights.host(tlsa=sights.signed(*records), shown=(sights.shown(),)))
    return _finding("dane-mismatch", look).facts["tlsa"]


# ------------------------------------------------------------------- how much is asked


def _hosts(had: int = 0) -> int:
    sky = Sky()
    sky.domain(DOMAIN, mx=tuple(f"mx{number}" for number in range(30)))
    names = [f"r{number}.example" for number in range(had)]
    return len(look_at(DOMAIN, sky, NOW, had=names).hosts)


def _rua_domains() -> int:
    sky = Sky()
    uris = ",".join(f"mailto:a@d{number}.example" for number in range(30))
    sky.domain(DOMAIN, record=f"v=TLSRPTv1; rua={uris}")
    return len(look_at(DOMAIN, sky, NOW).rua_hosts)


def _probed_addresses() -> int:
    prober = Prober(Sky(), ("mx.elsewhere.example",))
    return len(prober("mx.example.com", TWENTY))


def _ask(name: str, kind: RecordType) -> Answer:
    """Twenty MX hosts with twenty addresses each."""
    if kind == "MX":
        return Answer("found", tuple(f"10 mx{number}.example" for number in range(20)))
    return Answer("found", tuple(TWENTY)) if kind == "A" else Answer("absent")


class _Asked:
    ask = staticmethod(_ask)


def _policy_addresses() -> str:
    return https.fetch_policy(DOMAIN, _ask, https.context(), only_public=True).error


def _places() -> list[tuple[str, str]]:
    return list(delivery._places(DOMAIN, _ask))


def _controlled() -> int:
    said = NetScout(_Asked()).control(["mx.example"], "A", 0.5)  # type: ignore[arg-type]  # asks only
    return (said or "").count("(127.")


# ----------------------------------------------------------------- what servers say


def _said(raw: bytes, hear: Callable[[socket.socket], object]) -> object:
    """What *hear* makes of a server that says *raw* and hangs up."""
    here, there = socket.socketpair()

    def say() -> None:
        with there:
            there.sendall(raw)

    speaker = threading.Thread(target=say, daemon=True)
    with here:
        here.settimeout(5)
        speaker.start()
        return hear(here)


def _reply(raw: bytes) -> str:
    def hear(connection: socket.socket) -> str:
        try:
            return str(dialogue.Dialogue(connection).reply().code)
        except dialogue.Broken as error:
            return str(error)

    return str(_said(raw, hear))


def _is_left(connection: socket.socket) -> bool:
    dialogue.drain(connection)
    return bool(connection.recv(1))


def _greeted(connection: socket.socket) -> bool:
    try:
        delivery._Client(connection, "mx.example", "here.example")
    except smtplib.SMTPException:
        return False
    return True


def _file(count: int) -> str:
    body = io.BytesIO(b"x" * count)
    response = urllib3.HTTPResponse(body, status=200, preload_content=False)
    return https._read(response, "192.0.2.1").kind


def _certificate(names: int) -> crypto.X509:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.example")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=90))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(f"n{n}.example") for n in range(names)]),
            critical=False,
        )
    )
    return crypto.X509.from_cryptography(made.sign(key, hashes.SHA256()))


PUBLISHED: tuple[Limit, ...] = (
    Limit(
        "domains.record",
        "MOST_KEPT",
        lambda: mended([RUA + "".join(f"; x{n}=1" for n in range(9))], ()).count("=1") == 5,
    ),
    Limit(
        "domains.fields",
        "_HEAD",
        lambda: parse_record([f"{LONG} v=TLSRPTv1; rua=mailto:a@b.example"]).near == (),
    ),
    Limit("domains.uri", "LONGEST", lambda: uri.mended(f"https://h.example/{LONG}") is None),
    Limit("domains.uri", "_LOCAL_CHARS", lambda: uri.mended(f"{'x' * 70}@b.example") is None),
    Limit(
        "domains.flaw",
        "MOST",
        lambda: len(_flaws(RUA + "".join(f"; x{n}" for n in range(30)))) == 20,
    ),
    Limit("domains.flaw", "SHOWN", lambda: _shown_of_flaw() == 60),
    Limit(
        "domains.sts", "LONGEST_AGE", lambda: parse_policy("max_age: 31557601\n").max_age is None
    ),
    Limit(
        "domains.drift",
        "POLICY_BYTES",
        lambda: len(drift.policy_note(sights.seen(page=sights.page("x" * 9_000))) or "") == 8_192,
    ),
    Limit("domains.drift", "CHARS", lambda: _remembered(9_000) == 8_192),
    Limit(
        "domains.examining.tlsrpt",
        "SHOWN",
        lambda: (
            len(
                _finding(
                    "tlsrpt-invalid", sights.seen(record=sights.answer(f"v=TLSRPTv1; {LONG}"))
                ).facts["seen"]
            )
            == 400
        ),
    ),
    Limit(
        "domains.examining.mta_sts",
        "SHOWN",
        lambda: (
            len(
                _finding(
                    "mta-sts-record-invalid", sights.seen(sts=sights.answer(f"v=STSv1; {LONG}"))
                ).facts["seen"]
            )
            == 400
        ),
    ),
    Limit("domains.examining.hosts", "_MOST_ADDRESSES", lambda: _probed(15).count(",") == 9),
    Limit("domains.examining.hosts", "_NAMES", lambda: _names(15).count(",") == 4),
    Limit("domains.examining.dane", "_LISTED", lambda: _tlsa(15).count("|") == 4),
    Limit(
        "alerts.found",
        "FACT_CHARS",
        lambda: "x" * 301 not in texts.told("tlsrpt-risky", DOMAIN, None, {"seen": LONG}, NOW).what,
    ),
    Limit("flows.looking", "MOST_HOSTS", lambda: _hosts() == 20),
    Limit("flows.looking", "MOST_NAMES", lambda: _hosts(had=50) == 0),
    Limit("flows.looking", "MOST_RUA", lambda: _rua_domains() == 5),
    Limit("flows.probing", "MOST_ADDRESSES", lambda: _probed_addresses() == 4),
    Limit("net.https", "MOST_BYTES", lambda: _file(70_000) == "too-large"),
    Limit("net.https", "ADDRESSES", lambda: "127.9.9.4 " in _policy_addresses()),
    Limit("net.delivery", "HOSTS", lambda: len({host for host, _ in _places()}) == 5),
    Limit("net.delivery", "ADDRESSES", lambda: len({address for _, address in _places()}) == 4),
    Limit(
        "net.delivery",
        "SAID_BYTES",
        lambda: not _said(b"220-x\r\n" * 11_000 + b"220 x\r\n", _greeted),
    ),
    Limit("net.scout", "CONTROL_ADDRESSES", lambda: _controlled() == 2),
    Limit("net.dialogue", "LINE_BYTES", lambda: "bytes" in _reply(b"220 " + b"x" * 3_000 + b"\n")),
    Limit("net.dialogue", "LINES", lambda: "lines" in _reply(b"220-x\n" * 200 + b"220 x\n")),
    Limit("net.dialogue", "PARTING_BYTES", lambda: bool(_said(b"x" * 100_000, _is_left))),
    Limit(
        "net.certificates",
        "MOST_NAMES",
        lambda: len(certificates.read_chain([_certificate(150)])[0].names) == 100,
    ),
    Limit(
        "net.certificates",
        "MOST_CHAIN",
        lambda: len(certificates.read_chain([_certificate(1)] * 30)) == 20,
    ),
)


def _in_tests_of_net() -> bool:
    return True


ELSEWHERE: tuple[Limit, ...] = (
    Limit("net.lookups", "MOST", _in_tests_of_net),
    Limit("net.lookups", "LARGE", _in_tests_of_net),
    Limit("store.checks", "MOST_KNOWN", _in_tests_of_net),
    Limit("net.handshake", "MOST_BYTES", _in_tests_of_net),
)
"""Seen at work in tests/net, with a real resolver and real TLS, and in tests/store; here only for
their values."""
