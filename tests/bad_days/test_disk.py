"""Disks that are full, of bytes or of files: mails wait where they are, and nothing is lost."""

import re
import smtplib
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.bad_days.disk import Disk, small_disk
from tests.e2e.daemon import RECIPIENT, SENDER, Site, imap_source, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import failing, many
from tests.e2e.waiting import PATIENCE, until
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.servers

DONE, CANNOT_WRITE, LATER = 0, 73, 75
TAKEN, TEMPORARY = 250, 451
OFF = '[trust]\ndkim = "off"\n'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Where the database will lie."""
    with small_disk(tmp_path / "state") as it:
        yield it


def answer(port: int, raw: bytes) -> int:
    """What LMTP says to a mail."""
    with smtplib.LMTP("127.0.0.1", port, timeout=2 * PATIENCE) as client:
        try:
            client.sendmail(SENDER, RECIPIENT, raw)
        except smtplib.SMTPDataError as refusal:
            return refusal.smtp_code
        except smtplib.SMTPRecipientsRefused as refusal:
            return next(iter(refusal.recipients.values()))[0]
    return TAKEN


def fill_up(port: int, disk: Disk, reports: Sequence[bytes]) -> int:
    """Fill the disk and send reports until one is put off; how many were taken."""
    disk.fill()
    for number, raw in enumerate(reports):
        if answer(port, raw) != TAKEN:
            return number
    raise AssertionError("the disk is not full")


class Maildir:
    """A Maildir that an MTA delivers to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("tmp", "new", "cur"):
            (folder / name).mkdir(parents=True)

    def put(self, name: str, raw: bytes) -> None:
        (self.folder / "tmp" / name).write_bytes(raw)
        (self.folder / "tmp" / name).rename(self.folder / "new" / name)

    def there(self, name: str) -> list[str]:
        return sorted(path.name for path in (self.folder / name).iterdir())

    @property
    def source(self) -> str:
        return f'[[source]]\nkind = "maildir"\npath = "{self.folder}"\npoll = "1s"\n'


@pytest.mark.timeout(240)
def test_a_full_disk_loses_nothing_from_any_source(
    tmp_path: Path, disk: Disk, sink: Sink, port: int, dovecot: Dovecot
) -> None:
    """
    While the disk is full LMTP answers 451, a pipe 75, and mails stay in the Maildir and the
    mailbox; with room again all of them are taken without a restart, each once, and the alert
    about a failure among them goes out. The log says once that the disk is full, and once that
    it is over.
    """
    maildir = Maildir(tmp_path / "box")
    dovecot.put("full", [])
    imap = imap_source(dovecot.port, "full", 'after = "move"\n')
    site = Site(tmp_path, OFF + lmtp_source(port) + maildir.source + imap, sink.port)
    reports = many(1000)
    with running(site, PASSWORD=PASSWORD) as daemon:
        assert answer(port, reports[0]) == TAKEN
        taken = 1 + fill_up(port, disk, reports[1:])
        late = [failing(1, "maildir.example"), failing(1, "imap.example")]
        maildir.put("late", late[0])
        dovecot.put("full", late[1:])
        piped = _pipe(site, failing(1, "pipe.example"))
        until(lambda: daemon.log.count("source.connected") >= 2, "the mailbox was tried twice")
        stored = site.count("reports")
        left = maildir.there("new"), dovecot.bodies("full")

        disk.empty()
        until(lambda: answer(port, reports[taken]) == TAKEN, "room again")
        again = _pipe(site, failing(1, "pipe.example"))
        until(lambda: not maildir.there("new"), "the Maildir was read", 2 * PATIENCE)
        until(lambda: dovecot.bodies("full") == [], "the mailbox was read", 2 * PATIENCE)
        domains = {"maildir.example", "imap.example", "pipe.example"}
        until(lambda: domains <= _told(sink), "the alerts", 2 * PATIENCE)
        until(lambda: _trouble(daemon.log) == _recovered(daemon.log), "the end of it is said")
        log = daemon.log

    assert (LATER, DONE) == (piped, again)
    assert stored == taken
    assert left[0] == ["late"]
    assert len(left[1]) == 1
    assert site.count("reports") == taken + 4
    assert site.select("PRAGMA integrity_check") == [("ok",)]
    assert [] == [work for work, times in _trouble(log).items() if times > 1]


def _pipe(site: Site, raw: bytes) -> int:
    done = subprocess.run(
        site.words("import", "-"), env=site.environment(), input=raw, check=False, timeout=PATIENCE
    )
    return done.returncode


def _told(sink: Sink) -> set[str]:
    """The domains that alerts named."""
    lines = [line for mail in sink.mails for line in mail.get_all("X-TLSRPT-Mailer", [])]
    words = [word.strip() for line in lines for word in str(line).split(";")]
    return {word.removeprefix("domain=") for word in words if word.startswith("domain=")}


def _trouble(log: str) -> Counter[str]:
    """How often the log says of each work of the store that it cannot be done."""
    return Counter(re.findall(r"store\.trouble +work=(\S+)", log))


def _recovered(log: str) -> Counter[str]:
    """How often it says that it can be done again."""
    return Counter(re.findall(r"store\.recovered +work=(\S+)", log))
