"""Who has reported when, and what was told beside failures, as rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.world import NOW, World
from tests.mails import mail, report
from tlsrpt_mailer.failures.model import HumanAct
from tlsrpt_mailer.failures.telling import Mailed
from tlsrpt_mailer.ports import Announced, AuditEntry, Letter, SilentPair, Told
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store import audit, telling
from tlsrpt_mailer.store.notices import silent_pairs


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def test_the_last_window_of_each_pair_is_known(world: World) -> None:
    """In whatever order reports come, the latest one counts."""
    for day in ("2026-10-12", "2026-10-13", "2026-10-11"):
        world.take(mail(report("example.com", day)))

    ((domain, reporter, end),) = world.store.watching.pairs(0)

    assert ("example.com", "google.com", NOW // DAY * DAY) == (domain, reporter, end)
    assert [] == world.store.watching.pairs(end)


def test_what_was_there_before_is_known_as_well(world: World) -> None:
    """A database of the first version is brought up to date with all its reports in it."""
    world.take(mail(report("example.com")), mail(report("example.org")))
    with world.store.writer.transaction() as conn:
        conn.execute("DELETE FROM pairs")
        conn.execute(
            "INSERT INTO pairs SELECT domain, reporter, max(end_at) FROM windows"
            " GROUP BY domain, reporter"
        )

    assert ["example.com", "example.org"] == [one[0] for one in world.store.watching.pairs(0)]


def test_receipts_are_an_hour_apart(world: World) -> None:
    """However many reports come in an hour, one look-up tells that some did."""
    for minutes in (0, 10, 59, 61, 300):
        world.now = NOW + minutes * 60
        world.take(mail(report(f"d{minutes}.example")))
    watching = world.store.watching

    assert [NOW, NOW + 3660, NOW + 18_000] == watching.receipts(0)
    assert NOW + 18_000 == watching.last_receipt(NOW + DAY)
    assert NOW + 3660 == watching.last_receipt(NOW + 2 * HOUR)
    assert NOW == watching.began()


def test_an_empty_database_knows_nothing(world: World) -> None:
    """Before the first report there is nobody to miss."""
    watching = world.store.watching

    assert ([], [], None, None) == (
        watching.pairs(0),
        watching.receipts(0),
        watching.last_receipt(NOW),
        watching.began(),
    )


def test_who_is_silent_is_kept_with_what_was_told(world: World) -> None:
    """The digest finds who is silent, and who has come back since; of all recipients once."""
    gone = SilentPair("a.example", "google.com", NOW)
    back = SilentPair("b.example", "google.com", NOW, NOW + DAY)
    rows = [
        Announced(
            kind="silent-reporter", key="google.com", recipient=name, since=NOW, pairs=(gone, back)
        )
        for name in ("ana@example.com", "kim@example.com")
    ]
    letter = Letter("<1@x>", "ana@example.com", "silent", "silent", b"x")

    world.store.watching.announce(rows, [letter], NOW)
    world.store.watching.announce([], [], NOW)

    assert rows == world.store.watching.announced(["silent-reporter"])
    with world.store.writer.reading() as conn:
        assert [gone, back] == silent_pairs(conn, NOW)
        assert [gone] == silent_pairs(conn, NOW + DAY)
    assert 1 == world.count("letters")


def test_every_mail_that_named_a_failure_is_found(world: World) -> None:
    """Also the ones that told nothing new; and by which way people answered."""
    world.take(mail(report("example.com")))
    told = Told(1, "ana@example.com", 1, "new", NOW)
    act = HumanAct("ack", NOW + HOUR, "ana@example.com")
    with world.store.compose() as txn:
        new = Letter("<1@x>", "ana@example.com", "s", "new", b"x", told=(told,))
        txn.save_letters([new], NOW)
    with world.store.compose() as txn:
        digest = Letter("<2@x>", "ana@example.com", "s", "digest", b"x", failures=(1,))
        txn.save_letters([digest], NOW + DAY)
    with world.store.writer.transaction() as conn:
        audit.add(
            conn,
            AuditEntry(at=act.at, who=act.who, way="mail (token)", action="ack", target={}),
        )

    with world.store.writer.reading() as conn:
        assert (
            Mailed(NOW, "ana@example.com", "new", "new"),
            Mailed(NOW + DAY, "ana@example.com", "digest", "digest"),
        ) == telling.mailed(conn, 1)
        assert {(act.at, act.who): "mail (token)"} == telling.ways(
            conn, [act, HumanAct("mute", 0, "x")]
        )
