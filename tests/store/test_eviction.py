"""Room for mail that nobody vouches for, while somebody fills it."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests import mails
from tests.place import app_in
from tests.trust.signing import sign
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.store.eviction import CHUNK, evict
from tlsrpt_mailer.wiring import App

NOW = 1_790_000_000
TEXT = '[dns]\nnameservers = ["127.0.0.1:1"]\ntimeout = "1s"\n[trust]\ndkim = "require"\n'


def _raw(number: int, *, signed: bool = False) -> bytes:
    body = mails.report("example.com", "2026-09-20", report_id=f"r{number}")
    raw = mails.mail(body, newline="\r\n")
    return sign(raw, domain="google.com", at=NOW) if signed else raw


def _take(app: App, *raws: bytes) -> list[str]:
    return [one.outcome for one in app.deliver([RawMail(raw, "test", NOW) for raw in raws])]


def _held(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "tlsrpt.db")) as link:
        return [
            f"{row[0]} {row[1]}"
            for row in link.execute(
                "SELECT r.report_id, r.held_for FROM reports AS r JOIN kept USING (mail_id)"
                " WHERE r.status = 'held' ORDER BY r.id"
            )
        ]


def _count(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / "tlsrpt.db")) as link:
        return int(link.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_what_waits_for_dns_is_not_pushed_out_by_what_is_unsigned(tmp_path: Path) -> None:
    """
    While DNS does not answer, somebody sends unsigned reports until there is no room: the
    signed one that waits for its key stays, though it is the oldest.
    """
    with app_in(tmp_path, TEXT) as app:
        assert _take(app, _raw(0, signed=True)) == ["held"]
        _take(app, *(_raw(number) for number in range(1, 6)))
        with closing(sqlite3.connect(tmp_path / "tlsrpt.db")) as link:
            sizes = [row[0] for row in link.execute("SELECT size FROM kept ORDER BY mail_id")]

        gone = evict(app.store.writer, sizes[0] + sizes[-1])

        assert gone == 4
        assert _held(tmp_path) == ["r0 pending", "r5 signature"]
        assert evict(app.store.writer, sizes[0] + sizes[-1]) == 0


def test_a_flood_leaves_neither_mails_nor_reports(tmp_path: Path) -> None:
    """Of more held mails than go in one piece nothing stays but that they were there."""
    with app_in(tmp_path, TEXT) as app:
        _take(app, *(_raw(number) for number in range(CHUNK + 3)))
        gone = evict(app.store.writer, 0)

    assert gone == CHUNK + 3
    assert [_count(tmp_path, table) for table in ("kept", "reports", "policies")] == [0, 0, 0]
    assert _count(tmp_path, "mails") == CHUNK + 3


def test_a_counted_report_stays_when_its_mail_goes(tmp_path: Path) -> None:
    """What counts is no mail that nobody vouches for, whatever lay beside it."""
    with app_in(tmp_path, TEXT) as app:
        trusted = RawMail(_raw(1), "import", NOW, trusted=True)
        assert [one.outcome for one in app.deliver([trusted])] == ["stored"]
        _take(app, _raw(2))
        evict(app.store.writer, 0)

    assert _count(tmp_path, "reports") == 1


def test_it_is_said_once_a_day(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A flood that goes on is one line a day, and the line counts what went since the last."""
    day = 86_400
    with app_in(tmp_path, "max_untrusted_mb = 1\n" + TEXT) as app:
        for place, now in enumerate((NOW, NOW + 60, NOW + 120, NOW + day)):
            noise = random.Random(place).randbytes(2_000_000)
            _take(app, mails.mail(b"{" + noise, gzip=False))
            app.make_room(now)

    logged = "".join(capfd.readouterr())
    said = [line for line in logged.splitlines() if "store.evicted" in line]
    assert len(said) == 2
    assert "mails=3" in said[1]
