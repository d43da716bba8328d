"""Held reports and the ways out (docs/how-to/held-reports.md), with the real daemon."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests import mails
from tests.e2e.daemon import SENDER, Site, deliver, lmtp_source, running
from tests.e2e.sink import Sink, text_of
from tests.e2e.stories import day
from tests.e2e.waiting import until
from tests.servers.nsd import nsd
from tests.trust.signing import rsa_key, sign

OURS = '[[domains]]\nmatch = ["example.com"]\n'
KEYS = {
    f"sel._domainkey.{name}": f"v=DKIM1; k=rsa; p={rsa_key()[1]}".encode()
    for name in ("google.com", "microsoft.com")
}
BANNER = b"-- \r\nThis mail came from outside.\r\n"


def report(back: int, reporter: str = "google.com", mx: str = "mx1.example.com") -> bytes:
    """A signed report, as the MX hands it on that verified it."""
    body = mails.report(
        day=day(back), details=(mails.detail(mx=mx),), organization=reporter, report_id=f"{back}"
    )
    sender = SENDER if reporter == "google.com" else f"tlsrpt-noreply@{reporter}"
    raw = sign(mails.mail(body, sender=sender, submitter=reporter, newline="\r\n"), domain=reporter)
    return (
        f"Authentication-Results: mx.example.com; dkim=pass header.d={reporter}\r\n".encode() + raw
    )


def trust(port: int, dns: str, more: str = "") -> str:
    return (
        f'{lmtp_source(port)}[dns]\nnameservers = ["{dns}"]\ntimeout = "1s"\n{OURS}'
        f'[trust]\ndkim = "require"\n{more}'
    )


def two_hours_go_by(site: Site) -> None:
    """The mails came earlier than they did, and the look at what is held is due."""
    with closing(sqlite3.connect(site.database, timeout=30)) as conn, conn:
        conn.execute("UPDATE mails SET stored_at = stored_at - 7200")
        conn.execute("DELETE FROM job_runs WHERE name = 'held'")
    until(lambda: site.count("job_runs WHERE name = 'held'") == 1, "a look at what is held")


@pytest.mark.servers
def test_a_gateway_is_found_out_and_what_the_notice_says_helps(
    tmp_path: Path, sink: Sink, port: int
) -> None:
    """
    A gateway adds a banner to every mail: all is held, nobody is alerted, the operator is told
    once. With the very lines of that mail in the configuration, a reload and a release, the
    reports count, and the alert goes out.
    """
    with nsd(tmp_path, KEYS) as dns:
        site = Site(tmp_path, trust(port, dns), sink.port)
        with running(site) as daemon:
            held = [report(3), report(2), report(2, "microsoft.com"), report(1, "microsoft.com")]
            deliver(port, [raw + BANNER for raw in held])
            two_hours_go_by(site)
            (notice,) = sink.wait()
            two_hours_go_by(site)

            lines = _toml(text_of(notice), "authserv_ids")
            site.configure(trust(port, dns, lines.partition("\n")[2]), sink.port)
            daemon.reload()
            released = site.command("reports", "release", "--all")
            _, alert = sink.wait(2)

    assert "OPERATOR all 4 reports" in notice["Subject"]
    assert "a gateway?" in notice["Subject"]
    assert '[trust]\nauthserv_ids = ["mx.example.com"]' == lines
    assert "4 mails checked again: 4 count now.\n" == released.stdout
    assert "certificate expired on mx1.example.com" in " ".join(alert["Subject"].split())
    assert "valid DKIM signatures of their reporters" in " ".join(text_of(alert).split())
    assert 2 == len(sink.recipients)
    assert 0 == site.count("kept")


def _toml(text: str, key: str) -> str:
    """The indented lines around *key*, as somebody copies them."""
    (block,) = [one for one in re.findall(r"(?m)(?:^ {4}.*\n)+", text) if key in one]
    return "\n".join(line.strip() for line in block.splitlines())


@pytest.mark.servers
def test_a_word_about_a_reporter_reaches_the_running_daemon(
    tmp_path: Path, sink: Sink, port: int
) -> None:
    """
    Said beside the daemon, without a restart: what a distrusted reporter sends from then on
    opens nothing, and after it is forgotten all of it counts again.
    """
    with nsd(tmp_path, KEYS) as dns:
        site = Site(tmp_path, trust(port, dns), sink.port)
        with running(site) as daemon:
            site.command("reporters", "distrust", "google.com", "--note", "under test")
            deliver(port, [report(2)])
            daemon.wait_for_log("mail.taken")
            left_out = site.json("failures", "--all")
            site.command("reporters", "forget", "google.com")
            deliver(port, [report(1, mx="mx7.example.com")])
            sink.wait()

    assert [] == left_out
    assert 2 == len(site.json("failures"))


@pytest.mark.servers
def test_release_beside_a_busy_daemon(tmp_path: Path, port: int) -> None:
    """
    While mails pour in, `reports release` waits for its turn and is not refused; each report
    counts once, whichever of the two wrote it.
    """
    with nsd(tmp_path, KEYS) as dns:
        site = Site(tmp_path, trust(port, dns))
        many = [report(back) for back in range(30, 60)]
        with running(site):
            deliver(port, [raw + BANNER for raw in many])
            site.configure(trust(port, dns, 'authserv_ids = ["mx.example.com"]\n'))
            releasing = [site.start("reports", "release", "--all") for _ in range(2)]
            deliver(port, [report(back) for back in range(1, 30)])
            ended = [one.communicate(timeout=60) for one in releasing]

    assert [0, 0] == [one.returncode for one in releasing], ended
    assert 59 == site.count("reports WHERE status = 'counted'")
    assert 59 == site.count("windows")
    assert 0 == site.count("reports WHERE status = 'held'")
    assert 0 == site.count("kept")
