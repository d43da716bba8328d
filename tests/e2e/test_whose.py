"""
Whose domains are, end to end: the real daemon, a real DNS server, mails that are really signed.

There are no [[domains]] unless a test says so.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mails
from tests.e2e.daemon import AT_ONCE, RECIPIENT, Site, deliver, lmtp_source, running
from tests.e2e.sink import Sink, text_of
from tests.e2e.stories import day
from tests.e2e.waiting import until
from tests.servers.nsd import nsd
from tests.trust.signing import rsa_key, sign

MEASURED = True

pytestmark = pytest.mark.servers

MINE, STRANGERS, MX = "mine.example", "stranger.example", "mx1.mine.example"
RECORDS = {
    "sel._domainkey.sender.example": f"v=DKIM1; k=rsa; p={rsa_key()[1]}".encode(),
    f"_smtp._tls.{MINE}": f"v=TLSRPTv1; rua=mailto:{RECIPIENT.upper()}".encode(),
    f"_smtp._tls.{STRANGERS}": b"v=TLSRPTv1; rua=mailto:tls@stranger.example",
}


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nsd(tmp_path_factory.mktemp("dns"), RECORDS) as server:
        yield server


def trusting(port: int, dns: str, more: str = "") -> str:
    return (
        f'{lmtp_source(port)}[trust]\ndkim = "require"\nreporters = ["sender.example"]\n'
        f'[dns]\nnameservers = ["{dns}"]\n{more}'
    )


def signed(*policies: mails.Json, back: int = 1) -> bytes:
    """A report about the day *back* days ago, signed by its author."""
    report = mails.report("x.example", day(back)) | {"policies": list(policies)}
    raw = mails.mail(report, sender="tlsrpt@sender.example", submitter=None, newline="\r\n")
    return sign(raw)


def failing(domain: str, **more: object) -> mails.Json:
    row = mails.detail(mx=f"mx1.{domain}")
    return mails.policy(domain, details=(row,), **more)  # type: ignore[arg-type]


def windows(site: Site) -> list[str]:
    """The domains that reports count about."""
    return [name for (name,) in site.select("SELECT DISTINCT domain FROM windows ORDER BY domain")]


def test_a_domain_whose_record_names_us_is_adopted_and_alerted(
    tmp_path: Path, sink: Sink, port: int, dns: str
) -> None:
    """
    Its first report is held until DNS has said that reports are to come here; then it counts,
    and its failure is mailed. A stranger's never does.
    """
    site = Site(tmp_path, trusting(port, dns), sink.port, AT_ONCE)
    with running(site) as daemon:
        deliver(port, [signed(failing(STRANGERS)), signed(failing(MINE))])
        assert [("held", "proposed")] * 2 == site.select("SELECT status, held_for FROM reports")

        (mail,) = sink.wait()
        daemon.wait_for_log("domain.adopted")
        deliver(port, [signed(mails.policy(MINE), back=2)])
        states = site.select("SELECT domain, state FROM adoptions ORDER BY domain")
        log = daemon.log

    assert MINE in text_of(mail)
    assert [MINE] == windows(site)
    assert 2 == site.count("reports WHERE status = 'counted'")
    assert [("proposed",)] == site.select("SELECT held_for FROM reports WHERE status = 'held'")
    assert [(MINE, "adopted"), (STRANGERS, "proposed")] == states
    assert 1 == log.count("domain.adopted")
    assert 1 == len(sink.taken)
    listed = {one["domain"]: one["why"] for one in site.json("domains")}
    assert listed[MINE].endswith(RECIPIENT.partition("@")[2])
    assert "tls@stranger.example, which is not here" in listed[STRANGERS]


def test_cron_needs_one_call(tmp_path: Path, sink: Sink, dns: str) -> None:
    """`once` drains, finds out whose the new domain is, and mails its alert, all in one go."""
    box = tmp_path / "box"
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    (box / "new/1").write_bytes(signed(failing(MINE)))
    source = f'[[source]]\nkind = "maildir"\npath = "{box}"\n'
    rua = f'[checks]\nrua = ["mailto:{RECIPIENT}"]\n'
    site = Site(tmp_path, trusting(1, dns, rua).replace(lmtp_source(1), source), sink.port)

    done = site.command("once")

    assert 0 == done.returncode, done.stderr
    assert MINE in text_of(sink.mails[0])


def test_what_is_held_counts_when_the_configuration_names_it(
    tmp_path: Path, sink: Sink, port: int, dns: str
) -> None:
    """The operator pastes what `domains adopt` prints and reloads; no mail is sent again."""
    named = '[[domains]]\nmatch = ["other.example"]\n'
    site = Site(tmp_path, trusting(port, dns, named), sink.port, AT_ONCE)
    with running(site) as daemon:
        deliver(port, [signed(failing(MINE)), signed(failing(STRANGERS))])
        assert [("foreign",)] * 2 == site.select("SELECT held_for FROM reports")
        stanza = site.json("domains", "adopt", MINE)["stanza"]
        site.configure(trusting(port, dns, named + stanza), sink.port, AT_ONCE)
        daemon.reload()
        (mail,) = sink.wait()

    assert MINE in text_of(mail)
    assert [MINE] == windows(site)
    assert [("foreign",)] == site.select("SELECT held_for FROM reports WHERE status = 'held'")


def test_of_a_mixed_report_only_what_is_ours_counts(
    tmp_path: Path, sink: Sink, port: int, dns: str
) -> None:
    """The stranger's policy beside ours is stored and shown, and reaches no count and no mail."""
    named = f'[[domains]]\nmatch = ["{MINE}"]\n'
    site = Site(tmp_path, trusting(port, dns, named), sink.port, AT_ONCE)
    with running(site):
        deliver(port, [signed(failing(STRANGERS), failing(MINE))])
        (mail,) = sink.wait()

    assert [MINE] == windows(site)
    assert [(MINE,)] == site.select("SELECT DISTINCT domain FROM failures")
    assert STRANGERS not in mail.as_string()
    assert [(STRANGERS, 1), (MINE, 0)] == site.select(
        "SELECT policy_domain, is_foreign FROM policies ORDER BY position"
    )
    assert STRANGERS in site.command("reports", "show", "1").stdout
    (stranger,) = [one for one in site.json("domains") if one["domain"] == STRANGERS]
    assert ("foreign", 0, 1) == (stranger["whose"], stranger["held"], stranger["left_out"])


def test_a_dane_report_on_our_mx_host_counts(
    tmp_path: Path, sink: Sink, port: int, dns: str
) -> None:
    """DANE reports name the MX host: it need not stand among the domains."""
    named = f'[[domains]]\nmatch = ["other.example"]\nmx = ["{MX}"]\n'
    site = Site(tmp_path, trusting(port, dns, named), sink.port, AT_ONCE)
    row = mails.detail("certificate-expired", mx=MX)
    with running(site):
        deliver(port, [signed(mails.policy(MX, policy_type="tlsa", mx=(MX,), details=(row,)))])
        (mail,) = sink.wait()

    assert [MX] == windows(site)
    assert MX in text_of(mail)


def test_a_rejected_domain_counts_no_more(tmp_path: Path, sink: Sink, port: int, dns: str) -> None:
    """A stranger whose record names us is told off by command, beside the running daemon."""
    site = Site(tmp_path, trusting(port, dns), sink.port, AT_ONCE)
    with running(site):
        deliver(port, [signed(mails.policy(MINE))])
        until(lambda: windows(site) == [MINE], "the first report counts")
        assert 0 == site.command("domains", "reject", MINE).returncode
        deliver(port, [signed(mails.policy(MINE), back=2)])

    assert [("foreign",)] == site.select("SELECT held_for FROM reports WHERE status = 'held'")
