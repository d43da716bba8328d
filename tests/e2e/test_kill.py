"""`kill -9` in the middle of a thousand mails: nothing lost, nothing twice."""

import re
import smtplib
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from tests.e2e.daemon import (
    AT_ONCE,
    RECIPIENT,
    SENDER,
    Site,
    imap_source,
    lmtp_source,
    running,
)
from tests.e2e.sink import Sink, parsed
from tests.e2e.stories import many
from tests.e2e.waiting import PATIENCE, until
from tests.servers.dovecot import PASSWORD, Dovecot

MAILS = 1000
FAILURES = MAILS // 10
KILLS = pytest.mark.parametrize(
    "kills",
    [
        pytest.param((150, 450, 800), id="three"),
        pytest.param(tuple(range(30, MAILS, 40)), id="often", marks=pytest.mark.long),
    ],
)
"""After how many stored mails the daemon is killed."""
ALL = f"{AT_ONCE}\nmax_per_hour = 10000"


class Postfix(Thread):
    """Hands mails over by LMTP, and does so again until each was answered with 250."""

    def __init__(self, port: int, mails: Sequence[bytes]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._queue = list(mails)
        self.tries = 0

    def run(self) -> None:
        """Until the queue is empty, or patience ends."""
        deadline = monotonic() + 3 * PATIENCE
        while self._queue and monotonic() < deadline:
            try:
                self._session()
            except (OSError, smtplib.SMTPException):
                continue

    def _session(self) -> None:
        with smtplib.LMTP("127.0.0.1", self._port, timeout=PATIENCE) as client:
            while self._queue:
                self.tries += 1
                client.sendmail(SENDER, RECIPIENT, self._queue[0])
                del self._queue[0]

    @property
    def left(self) -> int:
        """How many mails it still has."""
        return len(self._queue)


def _alerts(sink: Sink) -> dict[bytes, bytes]:
    """The mails at the relay by Message-ID: one that came twice is one."""
    return {re.search(rb"^Message-ID: (\S+)", raw, re.M)[1]: raw for raw in sink.taken}  # type: ignore[index]


def _failures_told(sink: Sink) -> list[str]:
    """The domains of the failures that the alerts tell, as they stand in the header for filters."""
    headers = [
        header
        for raw in _alerts(sink).values()
        for header in parsed(raw).get_all("X-TLSRPT-Mailer", [])
    ]
    return sorted(re.findall(r"event=new;.*domain=([^;]+);", header)[0] for header in headers)


def _check(site: Site, sink: Sink) -> None:
    """Everything is there once, and everybody was told of everything once."""
    until(lambda: len(_alerts(sink)) >= FAILURES, "an alert of each failure")

    assert site.count("reports") == MAILS
    assert site.count("reports WHERE status = 'counted'") == MAILS
    assert site.count("windows") == MAILS
    assert site.count("failures") == FAILURES
    assert site.count("taking") == 0
    assert _failures_told(sink) == sorted(f"d{number}.example" for number in range(0, MAILS, 10))
    assert site.select("PRAGMA integrity_check") == [("ok",)]


@KILLS
def test_while_an_mta_hands_over_mail(
    tmp_path: Path, sink: Sink, port: int, kills: tuple[int, ...]
) -> None:
    """
    The daemon is killed again and again while an MTA hands over a thousand reports and tries
    again what was not answered: in the end each report counts once, and each failure was
    told once.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port, ALL)
    postfix = Postfix(port, many(MAILS))
    postfix.start()
    for stored in kills:
        with running(site) as daemon:
            site.wait_for("mails", stored)
            daemon.kill()
    with running(site):
        until(lambda: postfix.left == 0, "every mail answered with 250")
        _check(site, sink)

    print(f"{postfix.tries - MAILS} mails were handed over again")  # noqa: T201


@KILLS
@pytest.mark.servers
def test_while_a_mailbox_is_drained(
    tmp_path: Path, sink: Sink, dovecot: Dovecot, kills: tuple[int, ...]
) -> None:
    """
    The daemon is killed again and again while it empties a mailbox of a thousand reports: in
    the end each report counts once, each failure was told once, and every mail lies in the
    done folder, once.
    """
    user = f"drained{len(kills)}"
    dovecot.put(user, many(MAILS))
    imap = imap_source(dovecot.port, user, 'after = "move"\n')
    site = Site(tmp_path, imap, sink.port, ALL)
    for stored in kills:
        with running(site, PASSWORD=PASSWORD) as daemon:
            site.wait_for("mails", stored)
            daemon.kill()
    with running(site, PASSWORD=PASSWORD):
        site.wait_for("mails", MAILS)
        _check(site, sink)
        until(lambda: dovecot.bodies(user) == [], "an empty inbox")

    assert len(dovecot.bodies(user, "TLSRPT/Done")) == MAILS
