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
from tlsrpt_mailer.store.retention import Keep, prune
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


def test_what_was_evicted_can_be_had_again(tmp_path: Path) -> None:
    """Offered again, it is held once more; imported, it counts; what waited waits again."""
    with app_in(tmp_path, TEXT) as app:
        raws = [_raw(1), _raw(2), _raw(3, signed=True)]
        _take(app, *raws)
        evict(app.store.writer, 0)

        assert _take(app, raws[0], raws[0], raws[2]) == ["held", "duplicate", "held"]
        (said,) = app.deliver([RawMail(raws[1], "import", NOW, trusted=True)])
        assert said.outcome == "stored"
        assert _held(tmp_path) == ["r1 signature", "r3 pending"]
        assert _count(tmp_path, "mails") == 3
        assert len(app.store.pending.due(2 * NOW, 9)) == 1


def test_what_passed_its_time_can_be_had_again(tmp_path: Path) -> None:
    """A mailbox that is restored after keep_raw brings its held reports back."""
    with app_in(tmp_path, TEXT) as app:
        _take(app, _raw(1))
        pruned = prune(app.store.writer, 2 * NOW, Keep(reports=3 * NOW))

        assert (pruned.raw, _count(tmp_path, "reports")) == (1, 0)
        assert _take(app, _raw(1)) == ["held"]
        assert _held(tmp_path) == ["r1 signature"]


def test_the_part_that_was_held_comes_again(tmp_path: Path) -> None:
    """Of a mail of which another part counts."""
    with app_in(tmp_path, TEXT) as app:
        _take(app, _raw(1), _raw(2))
        with closing(sqlite3.connect(tmp_path / "tlsrpt.db")) as link, link:
            link.execute("UPDATE reports SET mail_id = 1")
            link.execute("UPDATE reports SET status = 'counted', trust = 'operator' WHERE id = 2")
            link.execute("UPDATE mails SET outcome = 'stored' WHERE id = 1")
        evict(app.store.writer, 0)

        assert _count(tmp_path, "reports") == 1
        assert _take(app, _raw(1)) == ["held"]


def test_who_floods_pushes_out_his_own(tmp_path: Path) -> None:
    """The oldest of whoever has most; what a known reporter's key may prove goes last of all."""
    google = [_raw(number, signed=True) for number in range(4)]
    flood = [
        sign(
            mails.mail(
                mails.report("example.com", "2026-09-20", report_id=f"e{number}"),
                sender="a@evil.example",
                submitter="evil.example",
                newline="\r\n",
            ),
            domain="evil.example",
            at=NOW,
        )
        for number in range(3)
    ]
    with app_in(tmp_path, TEXT) as app:
        _take(app, *google, *flood)
        with closing(sqlite3.connect(tmp_path / "tlsrpt.db")) as link:
            (total,) = link.execute("SELECT sum(size) FROM kept").fetchone()
        seen = []
        for known in ((), {"google.com"}, {"google.com"}, {"google.com"}, {"google.com"}):
            total -= 1
            assert evict(app.store.writer, total, known=known) == 1
            seen.append(_held(tmp_path))
            with closing(sqlite3.connect(tmp_path / "tlsrpt.db")) as link:
                (total,) = link.execute("SELECT sum(size) FROM kept").fetchone()

    left = [" ".join(row.split()[0] for row in rows) for rows in seen]
    assert left == [
        "r1 r2 r3 e0 e1 e2",
        "r1 r2 r3 e1 e2",
        "r1 r2 r3 e2",
        "r1 r2 r3",
        "r2 r3",
    ]


def test_a_held_report_that_was_pruned_is_no_duplicate(tmp_path: Path) -> None:
    """It was in no sum; once its copy is believed, that counts."""
    with app_in(tmp_path, TEXT) as app:
        _take(app, _raw(1))
        prune(app.store.writer, 2 * NOW, Keep(reports=0, raw=3 * NOW))

        assert (_count(tmp_path, "reports"), _count(tmp_path, "forgotten")) == (0, 0)
        trusted = RawMail(_raw(1) + b"\r\n", "import", NOW, trusted=True)
        assert [one.outcome for one in app.deliver([trusted])] == ["stored"]
