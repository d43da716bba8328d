"""
Make the databases of older versions that `test_upgrade` brings up to date.

    git worktree add /tmp/old COMMIT
    python -m tests.upgrade.fill /tmp/old tests/upgrade/0001_first.sql.gz

runs the commands of the code in /tmp/old over a month of made mails, and writes
the database as SQL. A dump is made once, from the last commit before the next
migration, and never again: it is what users of that version have.
"""

import gzip
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests import mails
from tests.e2e.answers import answer
from tests.e2e.sink import Sink, relay

ADDRESSES = """
[trust]
dkim = "off"
[alerts]
to = ["postmaster@example.com"]
from = "tlsrpt-mailer@mail.example.com"
group_wait = "0s"
"""
PEOPLE = """
reply_to = "tlsrpt@example.com"
"""
CHANNELS = """
[[channel]]
kind = "command"
name = "ticket"
command = ["/bin/echo", "TICKET-1"]
"""

# What no command writes without a server or a crash: one row each.
BY_HAND = """
INSERT INTO positions VALUES ('imap:tlsrpt@imap.example.com', 'INBOX', 7, 4711);
INSERT INTO notes VALUES ('imap:tlsrpt@imap.example.com', 'INBOX', 7, 4700, 'failed', 1764000000);
INSERT INTO taking VALUES (x'00ff', 1764000000, 42, 2);
INSERT INTO faults VALUES (x'01ff', 2, 'ValueError: made');
INSERT INTO last_reports VALUES ('imap:tlsrpt@imap.example.com', 1764000000);
INSERT INTO rollups VALUES (1700000000, 'old.example', 'google.com', 'sts', '', '', 10, 2);
INSERT INTO forgotten VALUES (x'000102030405060708090a0b', 1764000000);
INSERT OR REPLACE INTO sources (name, state, since, error, tries)
  VALUES ('imap:tlsrpt@imap.example.com', 'trouble', 1764000000, 'refused', 3);
"""
BY_HAND_PEOPLE = """
INSERT INTO remote_refs VALUES ('chat', '17', 'thread-1', 1764000000);
INSERT INTO answers VALUES
  (x'02ff', 1764000000, 'token', 'bob@example.com', 'done', '<1@example.com>');
INSERT INTO notices VALUES
  ('source', 'imap:gone', 'postmaster@example.com', 1763900000, 1763900060, NULL, NULL, '{}');
"""
# What needs a DNS that answers.
BY_HAND_TRUST = """
INSERT INTO keys VALUES ('s1._domainkey.google.com', CAST('["dj1ES0lNMTs="]' AS BLOB), 1764000000);
INSERT INTO adoptions (domain, state, first_at, last_at, changed_at, next_try, tries, record, said)
  VALUES ('mine.example', 'adopted', 1763000000, 1764000000, 1763000060, NULL, 1,
  'v=TLSRPTv1; rua=mailto:tlsrpt@example.com', 'its record sends reports to tlsrpt@example.com');
"""


class Old:
    """The commands of another checkout."""

    def __init__(self, code: Path, folder: Path, config: str) -> None:
        self.code = code
        self.config = folder / "config.toml"
        self.database = folder / "tlsrpt.db"
        self._config = config

    def configure(self, more: str) -> None:
        """Write the configuration."""
        self.config.write_text(f'[storage]\npath = "{self.database}"\n{self._config}{more}')

    def __call__(self, now: str, *words: str, stdin: bytes | None = None) -> None:
        """Run a command at *now*; what it could not deliver is as good."""
        done = subprocess.run(
            [sys.executable, "-m", "tlsrpt_mailer", "-c", self.config, "--now", now, *words],
            cwd=self.config.parent,
            env=os.environ | {"PYTHONPATH": str(self.code), "SUDO_USER": "ana"},
            input=stdin,
            check=False,
        )
        if done.returncode not in (0, 69):
            raise SystemExit(f"{words} ended with {done.returncode}")


def fill(old: Old, folder: Path, *, people: bool) -> None:
    """A month of reports; what is new is mailed, some of it answered."""
    with relay() as sink:
        old.configure(f"[alerts.smtp]\nport = {sink.port}\n")
        _days(old, folder)
        if people:
            _answers(old, sink)
    # The relay is gone: the last alert waits.
    late = mails.report("late.example", "2026-11-22", details=(mails.detail(mx="mx.late.example"),))
    _import(old, folder, "2026-11-23T11:00:00Z", "late", mails.mail(late))


def _days(old: Old, folder: Path) -> None:
    for day in range(1, 23):
        date = f"2026-11-{day:02}"
        broken = (mails.detail(),) if day in (12, 13, 20, 21, 22) else ()
        shop = (mails.detail("sts-policy-fetch-error", mx=None, failed=38),) if day > 14 else ()
        bodies = [
            mails.mail(mails.report("example.com", date, details=broken)),
            mails.mail(mails.report("shop.example", date, details=shop, successful=50)),
        ]
        if day == 10:
            bodies += [bodies[0], mails.dmarc_mail(day=date), mails.letter(), mails.bounce()]
            # The same report, made anew with more sessions.
            again = mails.report("example.com", date, details=(), successful=9000)
            bodies.append(mails.mail(again))
        if day == 11:
            bodies.append(b"Content-Type: application/tlsrpt+gzip\n\n\x1f\x8b\x08garbage")
        _import(old, folder, f"2026-11-{day + 1:02}T11:00:00Z", date, *bodies)


def _import(old: Old, folder: Path, now: str, name: str, *raws: bytes) -> None:
    here = folder / name
    here.mkdir()
    for number, raw in enumerate(raws):
        (here / f"{number}.eml").write_bytes(raw)
    old(now, "import", name)
    old(now, "once", "--quiet")


def _answers(old: Old, sink: Sink) -> None:
    now = "2026-11-23T10:00:00Z"
    alert = sink.mails[-1]
    reply = answer(alert, "ack until 2026-12-24 ordered a new one")
    old(now, "import", "-", stdin=reply)
    old(now, "failures", "mute", "2", "--for", "90d", "--note", "we know")
    old(now, "failures", "assign", "bob@example.com", "1")
    old(now, "maintenance", "add", "--mx", "mx1.example.com", "--from", "2026-12-01", "--for", "2h")
    old(now, "once", "--quiet")


def _trust(old: Old, folder: Path) -> None:
    """A report that nobody signed is held; somebody says whom he knows, and what is not his."""
    now = "2026-11-23T12:00:00Z"
    old.configure('[trust]\ndkim = "require"\n')
    (folder / "held.eml").write_bytes(mails.mail(mails.report("held.example", "2026-11-22")))
    old(now, "import", "--verify", "held.eml")
    old(now, "reporters", "trust", "small.example", "--note", "a partner")
    old(now, "domains", "reject", "stranger.example")


def dump(database: Path, target: Path) -> None:
    """Write *database* as SQL, packed; the same database makes the same bytes."""
    with closing(sqlite3.connect(database)) as conn:
        text = "\n".join(conn.iterdump()) + "\n"
    with gzip.GzipFile(target, "wb", mtime=0) as file:
        file.write(text.encode())


def main(code: Path, target: Path) -> None:
    """Fill a database by the code in *code*, and dump it."""
    people = (code / "tlsrpt_mailer/flows/replies.py").exists()
    trust = (code / "tlsrpt_mailer/flows/trusting.py").exists()
    config = CHANNELS + ADDRESSES + PEOPLE if people else ADDRESSES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old = Old(code, folder, config)
        fill(old, folder, people=people)
        if trust:
            old = Old(code, folder, CHANNELS + ADDRESSES.replace('[trust]\ndkim = "off"\n', ""))
            _trust(old, folder)
        with closing(sqlite3.connect(old.database)) as conn:
            conn.executescript(BY_HAND)
            conn.executescript(BY_HAND_PEOPLE if people else "")
            conn.executescript(BY_HAND_TRUST if trust else "")
        dump(old.database, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).absolute())
