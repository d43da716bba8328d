"""
Signatures, end to end: the real daemon, a real name server with keys that the test makes,
mails that are really signed.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests import mails
from tests.e2e.daemon import (
    SENDER,
    Site,
    deliver,
    free_port,
    imap_source,
    lmtp_source,
    running,
)
from tests.e2e.sink import Sink
from tests.e2e.stories import day
from tests.e2e.waiting import until
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.nsd import nsd
from tests.trust.signing import rsa_key, sign

pytestmark = pytest.mark.servers

OURS = '[[domains]]\nmatch = ["example.com"]\n'
KEYS = {"sel._domainkey.google.com": f"v=DKIM1; k=rsa; p={rsa_key()[1]}".encode()}


def unsigned(back: int = 1, mx: str = "mx1.example.com") -> bytes:
    report = mails.report(day=day(back), details=(mails.detail(mx=mx),))
    return mails.mail(report, sender=SENDER, newline="\r\n")


def signed(back: int = 1, mx: str = "mx1.example.com") -> bytes:
    return sign(unsigned(back, mx), domain="google.com")


def requiring(port: int, dns: str, dkim: str = "require") -> str:
    return (
        f'{lmtp_source(port)}[trust]\ndkim = "{dkim}"\n'
        f'[dns]\nnameservers = ["{dns}"]\ntimeout = "1s"\n{OURS}'
    )


def make_due(site: Site) -> None:
    """Let the wait for the next try be over, as a minute does."""
    with closing(sqlite3.connect(site.database, timeout=30)) as conn, conn:
        conn.execute("UPDATE kept SET next_try = 1 WHERE next_try IS NOT NULL")
        conn.execute("DELETE FROM job_runs WHERE name = 'pending'")


def outcomes(site: Site) -> list[tuple[object, ...]]:
    return site.select("SELECT status, trust, held_for FROM reports ORDER BY id")


def test_only_what_is_signed_raises_an_alert(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    An unsigned report, and one that something changed on its way, are acknowledged and held;
    nobody is mailed until the reporter's own word comes.
    """
    with nsd(tmp_path, KEYS) as dns:
        site = Site(tmp_path, requiring(port, dns), sink.port)
        with running(site) as daemon:
            deliver(port, [unsigned(3), signed(2) + b"-- \r\nseen by a gateway\r\n"])
            held = outcomes(site)
            daemon.wait_for_log("report.held", 2)
            deliver(port, [signed(1, "mx7.example.com")])
            (alert,) = sink.wait()

    assert [("held", "unsigned", "signature"), ("held", "fail", "signature")] == held
    assert ("counted", "pass", None) == outcomes(site)[2]
    assert "mx7.example.com" in alert["Subject"]
    assert 1 == len(sink.recipients)


def test_while_dns_is_away_reports_wait_and_then_count(
    tmp_path: Path, sink: Sink, port: int
) -> None:
    """
    The sender hears 250 within seconds; the report is neither lost nor believed; once the
    name server is back, and the wait is over, its failure is mailed.
    """
    dns_port = free_port()
    site = Site(tmp_path, requiring(port, f"127.0.0.1:{dns_port}"), sink.port)
    with running(site) as daemon:
        deliver(port, [signed()])
        waiting = outcomes(site)
        make_due(site)
        until(lambda: [(1,)] == site.select("SELECT tries FROM kept"), "a try that failed")
        still = outcomes(site)
        with nsd(tmp_path, KEYS, dns_port):
            make_due(site)
            sink.wait()
        daemon.wait_for_log("report.believed")

    assert [("held", "pending", "pending")] == waiting == still
    assert [("counted", "pass", None)] == outcomes(site)
    assert 0 == site.count("kept")


def test_a_reload_makes_new_rules_hold(tmp_path: Path, sink: Sink, port: int) -> None:
    """After SIGHUP with dkim = "mark" the same kind of mail counts, under a name of its own."""
    with nsd(tmp_path, KEYS) as dns:
        site = Site(tmp_path, requiring(port, dns), sink.port)
        with running(site) as daemon:
            deliver(port, [unsigned(3)])
            site.configure(requiring(port, dns, "mark"), sink.port)
            daemon.reload()
            deliver(port, [unsigned(2)])

    assert [("held", "unsigned", "signature"), ("counted", "unsigned", None)] == outcomes(site)
    assert [("google.com (unverified)",)] == site.select("SELECT reporter FROM windows")


def test_a_held_mail_goes_where_stored_ones_go(
    tmp_path: Path, sink: Sink, dovecot: Dovecot
) -> None:
    """What is kept in the database need not stay in the inbox."""
    dovecot.put("held", [unsigned(1), unsigned(2)])
    imap = imap_source(dovecot.port, "held", 'after = "move"\n')
    site = Site(tmp_path, f'{imap}[trust]\ndkim = "require"\n{OURS}', sink.port)
    with running(site, PASSWORD=PASSWORD):
        until(lambda: "TLSRPT/Done" in dovecot.folders("held"), "the done folder")
        until(lambda: 2 == len(dovecot.bodies("held", "TLSRPT/Done")), "two mails in it")

    assert [("held", "unsigned", "signature")] * 2 == outcomes(site)
    assert 2 == site.count("kept WHERE kind = 'held'")


def test_the_pipe_and_files(tmp_path: Path) -> None:
    """
    What a pipe brings may be from anybody: unsigned it is held, and the pipe hears 0. A file
    is the operator's word, unless he wants it verified.
    """
    path = tmp_path / "report.eml"
    path.write_bytes(unsigned(2))
    other = tmp_path / "other.eml"
    other.write_bytes(unsigned(3))
    with nsd(tmp_path, KEYS) as dns:
        site = Site(tmp_path, requiring(free_port(), dns))
        with path.open("rb") as stdin:
            piped = site.command("import", "-", stdin=stdin)
        verified = site.json("import", "--verify", str(other))
        trusted = site.json("import", str(path), str(other))

    assert (0, "1 mail: 1 held (tlsrpt-mailer reports --held)\n") == (
        piped.returncode,
        piped.stdout,
    )
    assert (1, 0) == (verified["held"], verified["stored"])
    assert (2, 0) == (trusted["stored"], trusted["held"])
    assert 0 == site.count("kept")
