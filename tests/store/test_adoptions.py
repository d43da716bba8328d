"""Domains that wait for their record, and what is held for them."""

from pathlib import Path

import msgspec
import pytest

from tests import mails
from tlsrpt_mailer.flows.ingest import Ingest, Settings
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.flows.trusting import Trust
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.ports import Adoption, Proposer, RawMail
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store.adoptions import MOST_OF_ONE, SqliteAdoptions, propose
from tlsrpt_mailer.store.connection import open_reader
from tlsrpt_mailer.store.retention import Keep, prune
from tlsrpt_mailer.store.sqlite import SqliteStore
from tlsrpt_mailer.store.whose import domain_rows
from tlsrpt_mailer.trust.model import Verdict

NOW: Time = 1_791_979_200


def proposed(store: SqliteStore, *domains: str, now: Time = NOW, most: int = 100) -> None:
    with store.writer.transaction() as conn:
        propose(conn, domains, now, most=most)


def test_a_domain_is_proposed_once_and_remembers_its_reports(store: SqliteStore):
    """The first and the last report about it are known; a repeat does not look it up anew."""
    proposed(store, "a.example", "b.example")
    (first, _) = store.adoptions.due(NOW, 10)
    store.adoptions.save([msgspec.structs.replace(first, next_try=NOW + DAY, said="why")])
    proposed(store, "a.example", now=NOW + 60)

    assert ["b.example"] == [one.domain for one in store.adoptions.due(NOW + 60, 10)]
    (later, again) = store.adoptions.due(NOW + DAY, 10)
    assert "b.example" == later.domain
    assert (
        Adoption(
            domain="a.example",
            state="proposed",
            first_at=NOW,
            last_at=NOW + 60,
            changed_at=NOW,
            next_try=NOW + DAY,
            said="why",
        )
        == again
    )


def test_a_new_domain_does_not_wait_behind_those_without_an_answer(store: SqliteStore):
    """Thousands of names whose servers never answer keep no first report from counting."""
    proposed(store, *(f"lame{n}.example" for n in range(20)), now=NOW - DAY)
    lame = store.adoptions.due(NOW, 50)
    store.adoptions.save([msgspec.structs.replace(one, said="DNS does not answer") for one in lame])
    proposed(store, "new.example")

    assert ["new.example"] == [one.domain for one in store.adoptions.due(NOW, 1)]
    assert 20 == len(lame)


def test_what_is_no_name_is_not_looked_up(store: SqliteStore):
    """DNS is asked for names alone."""
    proposed(store, "", "no name", "192.0.2.1", "x\ud800.example")

    assert [] == store.adoptions.due(NOW, 10)


def test_strangers_fill_no_disk(store: SqliteStore):
    """Past the most of them, the proposed ones of which no report came longest leave."""
    proposed(store, "old.example", "kept.example", now=NOW - 10)
    proposed(store, "kept.example", now=NOW - 5)
    store.adoptions.say(["adopted.example"], "adopted", NOW - 20, "it names us")
    proposed(store, *(f"d{n}.example" for n in range(9)), most=10)

    names = [one.domain for one in store.adoptions.due(NOW, 100)]
    assert 10 == len(names)
    assert "kept.example" in names
    assert "old.example" not in names
    assert {"adopted.example": "adopted"} == store.adoptions.found_out()


def test_what_is_found_out_ends_the_look_ups(store: SqliteStore):
    """An adopted or rejected domain is asked for no more, and a report about it changes nothing."""
    proposed(store, "a.example", "b.example")
    (one, other) = store.adoptions.due(NOW, 10)
    store.adoptions.save([msgspec.structs.replace(one, state="adopted", next_try=NOW)])
    store.adoptions.say([other.domain, "new.example"], "foreign", NOW, "ana said so")
    proposed(store, "a.example", "b.example")
    store.adoptions.look_again(NOW)

    assert [] == store.adoptions.due(NOW + 400 * DAY, 10)
    assert {
        "a.example": "adopted",
        "b.example": "foreign",
        "new.example": "foreign",
    } == store.adoptions.found_out()
    conn = open_reader(store.path)
    assert {None} == {row.next_try for row in domain_rows(conn) if row.domain != "a.example"}
    conn.close()


def test_a_row_that_left_stays_away(store: SqliteStore):
    """What was pushed out while its record was looked up does not come back by the answer."""
    proposed(store, "a.example")
    (one,) = store.adoptions.due(NOW, 10)
    proposed(store, "b.example", now=NOW + 1, most=1)
    store.adoptions.save([msgspec.structs.replace(one, state="adopted")])

    assert {} == store.adoptions.found_out()


def test_all_are_looked_up_again_when_we_have_new_addresses(store: SqliteStore):
    """A domain that waits for its week is asked for at once."""
    proposed(store, "a.example")
    (one,) = store.adoptions.due(NOW, 10)
    store.adoptions.save([msgspec.structs.replace(one, next_try=NOW + 7 * DAY)])
    store.adoptions.look_again(NOW)

    assert ["a.example"] == [one.domain for one in store.adoptions.due(NOW, 10)]


def test_what_nobody_speaks_of_any_more_is_forgotten(store: SqliteStore):
    """A stranger's name is not looked up for years; what was found out stays."""
    proposed(store, "gone.example", "here.example", now=NOW - 200 * DAY)
    proposed(store, "here.example", now=NOW - 50 * DAY)
    store.adoptions.say(["mine.example"], "adopted", NOW - 900 * DAY, "")

    prune(store.writer, NOW, Keep())

    assert ["here.example"] == [one.domain for one in store.adoptions.due(NOW, 10)]
    assert {"mine.example": "adopted"} == store.adoptions.found_out()


def test_there_is_room_for_so_many(store: SqliteStore):
    """A stranger with a wildcard record adopts no endless number of names for us."""
    adoptions = SqliteAdoptions(store.writer, most_adopted=2)
    store.adoptions.say(["a.example"], "adopted", NOW, "")

    assert 1 == adoptions.room()
    store.adoptions.say(["b.example", "c.example"], "adopted", NOW, "")
    assert 0 == adoptions.room()


# ------------------------------------------------------------------ held reports


@pytest.fixture
def ingest(store: SqliteStore) -> Ingest:
    """Believes every mail; ours is what begins with "our"."""

    def whose(policy: Policy) -> str:
        return "ours" if policy.policy_domain.startswith("our") else "proposed"

    def verify(raw: bytes, *_: object) -> Verdict:
        word = "unsigned" if b"unsigned" in raw else "pass"
        return Verdict(word, "", "google.com")  # type: ignore[arg-type]

    trust = Trust(
        dkim="require",
        verify=verify,
        is_ours=whose,  # type: ignore[arg-type]
    )
    settings = Settings(
        read=lambda raw, name: read(raw, file_name=name),
        organisational=lambda name: name,
        standing=Standing(frozenset({"google.com"})),
        trust=trust,
    )
    return Ingest(store, settings, lambda: NOW)


def take(ingest: Ingest, *reports: dict[str, object]) -> None:
    for report in reports:
        ingest.deliver([RawMail(mails.mail(report), "test:box", NOW - 60)])


def test_held_reports_are_found_by_number_and_by_domain(store: SqliteStore, ingest: Ingest):
    """Portions of them from the oldest on, each with what its policies are about."""
    take(ingest, *(mails.report(f"{name}.example") for name in ("a", "our", "b", "c")))

    first = store.adoptions.held(0, 2)
    rest = store.adoptions.held(first[-1].id, 10)
    assert [["a.example"], ["b.example"], ["c.example"]] == [
        [policy.policy_domain for policy in one.policies] for one in [*first, *rest]
    ]
    assert [first[1]] == store.adoptions.held_about("b.example", 0, 10)
    assert [] == store.adoptions.held_about("b.example", first[1].id, 10)
    assert [] == store.adoptions.held_about("our.example", 0, 10)


def test_what_is_held_for_its_signature_is_another_matter(store: SqliteStore, ingest: Ingest):
    """Whose domain it is about is not even asked."""
    raw = mails.mail(mails.report("a.example"), headers=["X-Note: unsigned"])
    (receipt,) = ingest.deliver([RawMail(raw, "test:box", NOW)])

    assert "held" == receipt.outcome
    assert [] == store.adoptions.held(0, 10)
    assert [] == store.adoptions.held_about("a.example", 0, 10)
    assert [] == store.adoptions.due(NOW, 10)


def test_held_mails_come_back_as_they_came(store: SqliteStore, ingest: Ingest):
    """Bytes, source and time of arrival: the judgement is that of the day it was taken."""
    take(ingest, mails.report("a.example"))
    (held,) = store.adoptions.held(0, 10)

    (mail,) = store.adoptions.mails([held.mail, 4711])

    assert mails.mail(mails.report("a.example")) == mail.raw
    assert ("test:box", NOW - 60, True) == (mail.source, mail.taken_at, mail.again)


def test_the_listing_knows_what_waits_and_what_was_left_out(
    store: SqliteStore, ingest: Ingest, tmp_path: Path
):
    """Held reports, and policies that were not counted beside ours, are counted by domain."""
    two = mails.report("our.example")
    two["policies"] += mails.report("beside.example")["policies"]
    take(ingest, mails.report("a.example"), mails.report("a.example", "2026-10-12"), two)

    conn = open_reader(store.path)
    rows = {row.domain: row for row in domain_rows(conn)}
    conn.close()

    assert ["a.example", "beside.example"] == list(rows)
    assert ("proposed", 2, 0, NOW) == (
        rows["a.example"].state,
        rows["a.example"].held,
        rows["a.example"].left_out,
        rows["a.example"].last_at,
    )
    assert (0, 1) == (rows["beside.example"].held, rows["beside.example"].left_out)


# ---------------------------------------------------------------------- fairness


def by(store: SqliteStore, who: Proposer, *domains: str, now: Time = NOW, most: int = 999) -> None:
    with store.writer.transaction() as conn:
        propose(conn, domains, now, who, most)


def due(store: SqliteStore, limit: int = 999) -> list[str]:
    return [one.domain for one in store.adoptions.due(NOW + DAY, limit, two_labels)]


def two_labels(name: str) -> str:
    return ".".join(name.split(".")[-2:])


EVIL, SMALL = Proposer("evil.example"), Proposer("small.example")
GOOGLE = Proposer("google.com", is_known=True)


def test_who_speaks_of_a_thousand_domains_delays_nobody_elses(store: SqliteStore):
    """Reporters take turns, known ones first in each; so do the organisations of one reporter."""
    by(store, EVIL, *(f"a{n}.evil.example" for n in range(9)), "x.lame.example", now=NOW - DAY)
    by(store, SMALL, "small.example")
    by(store, GOOGLE, "a.mine.example", "b.mine.example", "z.example")

    assert [
        "a.mine.example",
        "a0.evil.example",
        "small.example",
        "z.example",
        "x.lame.example",
        "b.mine.example",
    ] == due(store, 6)


def test_what_had_no_answer_waits_for_what_had_one(store: SqliteStore):
    """Of one reporter: what was never asked for, what answered once, what never did."""
    by(store, SMALL, "a.example", "b.example", "c.example")
    (one, other, _) = store.adoptions.due(NOW, 3)
    save = msgspec.structs.replace
    store.adoptions.save([save(one, said="DNS is silent"), save(other, tries=1, said="not here")])

    assert ["c.example", "b.example", "a.example"] == due(store)


def test_a_reporter_that_is_not_known_has_a_share(store: SqliteStore):
    """Its own leave for what it says more, never what others speak of; a known one has none."""
    by(store, SMALL, "small.example", now=NOW - DAY)
    by(store, GOOGLE, *(f"g{n}.example" for n in range(300)), now=NOW - DAY)
    by(store, EVIL, "looked.evil.example", now=NOW + 1)
    (looked,) = [one for one in store.adoptions.due(NOW + 1, 999) if "looked" in one.domain]
    store.adoptions.save([msgspec.structs.replace(looked, said="not here")])
    by(store, EVIL, *(f"d{n}.evil.example" for n in range(999)))

    left = due(store)
    assert 300 + 1 + MOST_OF_ONE == len(left)
    assert "small.example" in left
    assert "looked.evil.example" not in left


def test_past_the_most_those_leave_of_who_says_most(store: SqliteStore):
    """Fresh names of many strangers do not push out the one that a small reporter speaks of."""
    by(store, SMALL, "small.example", now=NOW - 9 * DAY)
    by(store, GOOGLE, "mine.example", "more.example", "most.example", now=NOW - 9 * DAY)
    for stranger in range(5):
        names = [f"d{n}.s{stranger}.example" for n in range(9)]
        by(store, Proposer(f"s{stranger}.example"), *names, most=20)

    left = due(store)
    assert 20 == len(left)
    assert {"small.example", "mine.example", "more.example", "most.example"} <= set(left)


def test_nobody_has_anothers_domain_leave_with_his_own(store: SqliteStore):
    """Who spoke of it first, or again, does not own it: a known reporter does, else the one that
    speaks of fewest."""
    by(store, EVIL, "mine.example", "small.example", *(f"a{n}.evil.example" for n in range(9)))
    by(store, GOOGLE, "mine.example")
    by(store, SMALL, "small.example")
    by(store, EVIL, "mine.example", "small.example", now=NOW + 1)

    by(store, EVIL, *(f"b{n}.evil.example" for n in range(MOST_OF_ONE)), now=NOW + 2)

    assert {"mine.example", "small.example"} <= set(due(store))
