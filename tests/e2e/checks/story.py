"""The program as processes, day after day, in a land that changes: each run by its own clock."""

import sqlite3
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from time import time

from tests.e2e.daemon import Daemon, Site, running
from tests.e2e.sink import Sink, text_of
from tests.e2e.waiting import PATIENCE
from tests.servers.land import Land

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
BEGIN = datetime(2026, 10, 12, 9, 0, tzinfo=UTC)
"""A Monday morning."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SLEEPING = "import threading, time\ntime.sleep = lambda span: threading.Event().wait(span)\n"
"""libfaketime leaves monotonic clocks alone, as is wanted, but then cannot sleep by them."""
ALERTS = 'group_wait = "0s"\nresolve_wait = "0s"\noperator = ["root@example.com"]'


class Story:
    """
    A site that is told of *domain*, and the time there.

    Every process has the time of the story for its own, to the second, in whatever it
    does: what it notes, how it verifies a certificate, what it says.
    """

    def __init__(
        self,
        folder: Path,
        land: Land,
        sink: Sink,
        domain: str,
        checks: str = 'rua = ["mailto:tlsrpt@example.com"]',
        more: str = "",
    ) -> None:
        self.now = BEGIN
        self.land = land
        self.sink = sink
        self._read = 0
        self._patches = folder / "patches"
        self._patches.mkdir()
        (self._patches / "sitecustomize.py").write_text(SLEEPING)
        self._box = folder / "box"
        for name in ("new", "cur", "tmp"):
            (self._box / name).mkdir(parents=True)
        settings = land.settings(f'schedule = "daily"\n{checks}')
        parts = (
            f'[[source]]\nkind = "maildir"\npath = "{self._box}"\npoll = "1s"\n',
            settings,
            f'[[domains]]\nmatch = ["{domain}"]\nowners = ["kim@shop.example"]\n',
            more,
        )
        self.site = Site(folder, "\n".join(parts), sink.port, ALERTS)

    # ------------------------------------------------------------------- the program

    def runs(self, later: timedelta = timedelta(0)) -> None:
        """`once`, as cron does it, some time *later*."""
        self.now += later
        done = self.command("--now", f"{self.now:%Y-%m-%dT%H:%M:%SZ}", "once")
        assert done.returncode == 0, done.stdout + done.stderr

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Any command."""
        return subprocess.run(
            self.site.words(*words),
            env=self.site.environment(**self._clock()),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def is_sure(self, later: timedelta = timedelta(0)) -> None:
        """It looks, looks again, since one look alone is none, and tells what it found."""
        self.runs(later)
        self.runs(16 * MINUTE)
        self.runs(MINUTE)

    @contextmanager
    def daemon(self, later: timedelta = timedelta(0)) -> Iterator[Daemon]:
        """`run`, on a machine that was switched on some time *later*."""
        self.now += later
        self._switched_off()
        with running(self.site, **self._clock()) as one:
            yield one

    def _clock(self) -> dict[str, str]:
        """For a process that begins now."""
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME": f"{self.now.timestamp() - time():+.3f}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(self._patches),
        }

    def _switched_off(self) -> None:
        """A machine that runs on would not believe a clock that is a day ahead."""
        if self.site.database.exists():
            with closing(sqlite3.connect(self.site.database)) as conn, conn:
                conn.execute("DELETE FROM facts WHERE name = 'clock'")

    # ------------------------------------------------------------------------- mails

    def reported(self, raw: bytes) -> None:
        """A report lies in the mailbox."""
        (self._box / f"new/{self.now.timestamp():.0f}.{len(raw)}.host").write_bytes(raw)

    def told(self, to: str = "kim@shop.example") -> list[EmailMessage]:
        """What *to* was told of failures and of looks, in order; no reminders, no digests."""
        mails = zip(self.sink.mails, self.sink.recipients, strict=True)
        return [mail for mail, whom in mails if whom == [to] and event(mail) in EVENTS]

    def news(self) -> list[EmailMessage]:
        """What kim was told since the last call."""
        found = self.told()[self._read :]
        self._read += len(found)
        return found


EVENTS = frozenset({"new", "worsened", "regressed", "resolved", "operator"})


def event(mail: EmailMessage) -> str:
    """What it is, as filters see it."""
    return str(mail["X-TLSRPT-Mailer"]).strip().partition(";")[0].removeprefix("event=")


def text(mail: EmailMessage) -> str:
    """All of it on one line."""
    return " ".join(text_of(mail).split())


def part(mail: EmailMessage, title: str) -> str:
    """One section, on one line."""
    found = text_of(mail).replace("\r\n", "\n").partition(f"\n{title}")[2]
    return " ".join(found.partition("\n\n")[0].split())


def pasted(mail: EmailMessage) -> list[str]:
    """What stands below the steps of HOW TO MEND IT: the blocks that are to be published."""
    found = text_of(mail).replace("\r\n", "\n").partition("\nHOW TO MEND IT\n")[2]
    blocks = found.partition("\n\nIS IT STILL SO?")[0].split("\n\n")[1:]
    return [textwrap.dedent(one) for one in blocks]
