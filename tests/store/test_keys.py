"""Keys that were in DNS: kept, refreshed, forgotten in time, and never too many."""

import pytest

from tests.store.build import NOW
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store import keys as keys_module
from tlsrpt_mailer.store.keys import SqliteKeys
from tlsrpt_mailer.store.retention import Keep, prune
from tlsrpt_mailer.store.sqlite import SqliteStore
from tlsrpt_mailer.trust.model import KeyAnswer

NAME = "sel._domainkey.google.com"
KEY = (b"v=DKIM1; p=\xff\x00", b"another")


def test_a_key_outlives_the_process(store: SqliteStore) -> None:
    """Any bytes, with when it was seen last; another name is not known."""
    store.keys.seen(NAME, KEY, NOW)
    fresh = SqliteKeys(store.writer)

    assert KeyAnswer("found", KEY, last_seen=NOW) == fresh.kept(NAME) == fresh.kept(NAME)
    assert fresh.kept("other._domainkey.google.com") is None


def test_it_is_written_no_more_than_once_an_hour(store: SqliteStore) -> None:
    """A hundred mails with one key are one write; a new key is one at once."""
    version = store.writer._conn.total_changes
    for minute in range(60):
        store.keys.seen(NAME, KEY, NOW + minute * 60)
    once = store.writer._conn.total_changes - version
    store.keys.seen(NAME, KEY, NOW + HOUR)
    store.keys.seen(NAME, (b"new",), NOW + HOUR)

    assert 1 == once
    assert KeyAnswer("found", (b"new",), last_seen=NOW + HOUR) == SqliteKeys(store.writer).kept(
        NAME
    )


def test_after_two_months_it_is_forgotten(store: SqliteStore) -> None:
    """Not before."""
    store.keys.seen(NAME, KEY, NOW)
    prune(store.writer, NOW + 60 * DAY, Keep())
    kept = SqliteKeys(store.writer).kept(NAME)
    prune(store.writer, NOW + 60 * DAY + 1, Keep())

    assert kept is not None
    assert SqliteKeys(store.writer).kept(NAME) is None


def test_made_up_keys_fill_no_disk(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit those go that were seen least recently."""
    monkeypatch.setattr(keys_module, "MOST", 3)
    monkeypatch.setattr(keys_module, "CACHED", 2)
    for number in range(6):
        store.keys.seen(f"{number}.example", KEY, NOW + number)
    fresh = SqliteKeys(store.writer)

    assert [3, 4, 5] == [at for at in range(6) if fresh.kept(f"{at}.example")]
    assert 2 == len(store.keys._cache)


def test_who_makes_up_selectors_has_his_own_keys_leave(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wildcard record is a key for every name: they push out one another, and no reporter's."""
    monkeypatch.setattr(keys_module, "MOST", 5)
    store.keys.seen(NAME, KEY, NOW)
    for number in range(20):
        store.keys.seen(f"s{number}._domainkey.d{number}.evil.example", KEY, NOW + 1 + number)
    fresh = SqliteKeys(store.writer)

    assert fresh.kept(NAME) is not None
    assert fresh.kept("s19._domainkey.d19.evil.example") is not None
    with store.writer.reading() as conn:
        assert (5,) == conn.execute("SELECT count(*) FROM keys").fetchone()


def test_a_locked_database_keeps_no_mail_from_being_verified(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the key was seen is written the next time."""

    def locked() -> None:
        raise Temporary("the database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(store.writer, "transaction", locked)
        store.keys.seen(NAME, KEY, NOW)
    before = store.keys.kept(NAME)
    store.keys.seen(NAME, KEY, NOW + 1)

    assert before is None
    assert KeyAnswer("found", KEY, last_seen=NOW + 1) == SqliteKeys(store.writer).kept(NAME)


def test_a_key_of_the_future_is_corrected(store: SqliteStore) -> None:
    """After the clock was set back, what is seen now is seen now."""
    store.keys.seen(NAME, KEY, NOW + DAY)
    store.keys.seen(NAME, KEY, NOW)

    assert KeyAnswer("found", KEY, last_seen=NOW) == SqliteKeys(store.writer).kept(NAME)
