"""What an operator says of a reporter, and what becomes of its failures."""

import itertools
from pathlib import Path

import pytest

from tests.flows.world import NOW, STANDING, World
from tests.mails import detail, mail, report
from tlsrpt_mailer.alerts.digest_model import Period
from tlsrpt_mailer.flows.reporters import Judged, Word, say_of_reporters
from tlsrpt_mailer.ports import ReporterWord
from tlsrpt_mailer.report.times import DAY
from tlsrpt_mailer.store.digesting import open_digest_reader
from tlsrpt_mailer.store.queries import open_queries

STRANGER, GOOGLE = "stranger.example", "google.com"


def say(world: World, word: ReporterWord | None, *names: str, note: str | None = None) -> Judged:
    said = Word(word=word, who="ana", way="command", note=note)
    return say_of_reporters(world.store, names, said, STANDING, world.now)


def failing(reporter: str, day: str = "2026-10-13", domain: str = "example.com") -> bytes:
    body = report(domain, day, organization=reporter, report_id=f"{day}@{reporter}")
    return mail(body, submitter=reporter, sender=f"tls@{reporter}")


def state(world: World) -> list[tuple[object, ...]]:
    """All that is believed, but for when it was found out."""
    return world.rows(
        "SELECT domain, policy_type, result_type, mx, state, severity, is_open,"
        " json_extract(verdict, '$.failed_sessions'), json_extract(verdict, '$.witnesses')"
        " FROM failures WHERE is_open = 1 ORDER BY 1, 2, 3, 4"
    )


def test_a_week_of_reports_does_not_outweigh_distrust(world: World) -> None:
    """Whoever is distrusted is never known, however long he reports; forgotten, he is again."""
    for day in ("03", "07", "13"):
        body = report(day=f"2026-10-{day}", organization=STRANGER, details=(), report_id=day)
        world.take(mail(body, submitter=STRANGER))
    known = []
    for word in (None, "distrust", "trust", None):
        say(world, word, STRANGER)
        with world.store.write() as txn:
            known.append(STRANGER in txn.established({STRANGER}))

    assert [True, False, True, True] == known


def test_who_is_trusted_is_believed_at_once(world: World) -> None:
    """A failure that only a stranger saw is low; his word counts once somebody vouches for it."""
    world.take(failing(STRANGER))
    assert "low" == world.rows("SELECT severity FROM failures")[0][0]

    judged = say(world, "trust", STRANGER)

    assert Judged(domains=1, before=1, open=1) == judged
    assert "critical" == world.rows("SELECT severity FROM failures")[0][0]


def test_what_only_a_distrusted_reporter_saw_is_over(world: World) -> None:
    """Distrust takes effect at once, also for a reporter that ships as known; forget undoes it."""
    world.take(failing(GOOGLE))

    assert Judged(domains=1, before=1, open=0) == say(world, "distrust", GOOGLE)
    assert [] == world.rows("SELECT is_open FROM failures WHERE is_open = 1")
    assert Judged(domains=1, before=0, open=1) == say(world, None, GOOGLE)
    assert [("critical",)] == world.rows("SELECT severity FROM failures WHERE is_open = 1")


def test_another_witness_keeps_a_failure_open(world: World) -> None:
    """Only what the distrusted one alone saw ends, and his figures are left out of the rest."""
    world.take(failing(GOOGLE), failing(STRANGER))

    say(world, "distrust", STRANGER)

    ((verdict,),) = world.rows("SELECT verdict FROM failures WHERE is_open = 1")
    assert b"google.com" in verdict  # type: ignore[operator]
    assert b"stranger" not in verdict  # type: ignore[operator]


def test_no_mail_cites_a_distrusted_reporter(world: World) -> None:
    """The evidence of an alert is read where the judge reads."""
    world.take(failing(GOOGLE), failing(STRANGER))
    with world.store.compose() as txn:
        assert {GOOGLE, STRANGER} == {one.reporter for one in txn.evidence(1)}

    say(world, "distrust", STRANGER)

    with world.store.compose() as txn:
        assert [GOOGLE] == [one.reporter for one in txn.evidence(1)]


def test_distrust_holds_for_what_stands_under_a_marked_name(world: World) -> None:
    """Unsigned reports in the name of a distrusted reporter are left out with the signed ones."""
    world.take(failing(STRANGER))
    with world.store.writer.transaction() as conn:
        for table in ("windows", "reports", "pairs"):
            conn.execute(f"UPDATE {table} SET reporter = reporter || ' (unverified)'")

    judged = say(world, "distrust", STRANGER)

    assert (1, 0) == (judged.domains, judged.open)


ROUNDS = [
    failing(STRANGER, "2026-10-11"),
    failing(GOOGLE, "2026-10-12"),
    failing(STRANGER, "2026-10-13"),
]


@pytest.mark.parametrize("word", ["trust", "distrust"])
@pytest.mark.parametrize("whose", [STRANGER, GOOGLE])
def test_a_word_holds_for_what_came_before_and_after(
    tmp_path: Path, word: ReporterWord, whose: str
) -> None:
    """Whenever the word is said between the reports, and in whatever order they come: one state."""
    found = []
    orders = [(order, at) for order in itertools.permutations(range(3)) for at in range(4)]
    for order, at in orders:
        folder = tmp_path / f"{''.join(map(str, order))}-{at}"
        folder.mkdir()
        world = World(folder)
        for place, number in enumerate(order):
            if place == at:
                say(world, word, whose)
            world.take(ROUNDS[number])
        if at == 3:
            say(world, word, whose)
        found.append(state(world))
        world.store.close()

    assert 24 == len(found)
    assert [found[0]] * 24 == found


def test_the_word_is_on_record(world: World) -> None:
    """Who said it, when and why is found in the audit and beside the reporter."""
    say(world, "distrust", STRANGER, "other.example", note="sends rubbish")
    world.now += DAY
    say(world, None, STRANGER)

    with world.store.write() as txn:
        said = txn.people.said_of_reporters()
    assert ["other.example"] == list(said)
    assert ("distrust", NOW, "ana", "sends rubbish") == (
        said["other.example"].word,
        said["other.example"].at,
        said["other.example"].who,
        said["other.example"].note,
    )
    assert [
        ("reporters-distrust", '{"reporters":"stranger.example other.example"}', "sends rubbish"),
        ("reporters-forget", '{"reporters":"stranger.example"}', None),
    ] == world.rows("SELECT action, target, note FROM audit ORDER BY id")


def test_a_clean_report_of_a_distrusted_one_acquits_nobody(world: World) -> None:
    """Who is distrusted can neither break nor mend anything."""
    world.take(failing(GOOGLE, "2026-10-10"))
    say(world, "distrust", STRANGER)
    for day in ("2026-10-11", "2026-10-12", "2026-10-13"):
        body = report(day=day, organization=STRANGER, details=(), report_id=f"{day}@s")
        world.take(mail(body, submitter=STRANGER))

    assert [(1, "critical")] == world.rows("SELECT is_open, severity FROM failures")


def test_many_domains_are_judged_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's ten thousand domains keep no mail waiting; each is judged, once."""
    monkeypatch.setattr("tlsrpt_mailer.flows.reporters.CHUNK", 2)
    world.take(*(failing(GOOGLE, domain=f"d{at}.example") for at in range(5)))

    assert Judged(domains=5, before=5, open=0) == say(world, "distrust", GOOGLE)
    assert Judged(domains=5, before=0, open=5) == say(world, None, GOOGLE)
    assert 2 == world.count("audit")


def test_detail_rows_do_not_matter(world: World) -> None:
    """Every failure that the distrusted one alone reports ends, of whatever kind and host."""
    rows = (detail(), detail("sts-policy-fetch-error", mx=None), detail(mx="mx2.example.com"))
    body = report(organization=STRANGER, details=rows)
    world.take(mail(body, submitter=STRANGER))

    judged = say(world, "distrust", STRANGER)

    assert 3 == judged.before
    assert 0 == judged.open


def test_no_figure_holds_what_a_distrusted_reporter_said(world: World) -> None:
    """The digest, silence and the first reports leave it out as the judge does."""
    world.take(failing(GOOGLE), failing(STRANGER))

    say(world, "distrust", STRANGER)

    period = Period(begin=world.now - 7 * DAY, end=world.now)
    with open_digest_reader(world.path) as reader:
        (domain,) = reader.figures(period).domains.values()
    watching = world.store.watching
    assert [GOOGLE] == [pair.reporter for pair in domain.pairs]
    assert [1] == [one.reports for one in domain.days.values()]
    assert [GOOGLE] == [reporter for _, reporter, _ in watching.pairs(0)]
    assert [GOOGLE] == [one.reporter for one in watching.seen("example.com", 0)]
    assert [GOOGLE] == [one.reporter for one in watching.first("example.com")]
    with open_queries(world.path) as queries:
        assert 1 == queries.totals(world.now).reporters
