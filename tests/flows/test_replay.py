"""Rules tried on history: the same judge and planner, nothing sent, nothing written."""

import random

import msgspec

from tests.failures.builders import GOOGLE, MICROSOFT, SMALL, ZERO, failing, on, row, window
from tests.flows.test_compose import audience
from tests.flows.world import NOW, STANDING, World
from tests.mails import detail, mail, report
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock, MxBlock, Owner
from tlsrpt_mailer.alerts.route import ChannelRule
from tlsrpt_mailer.failures.model import HumanAct, Window
from tlsrpt_mailer.flows.compose import Audience, compose
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.flows.recollection import Recollection
from tlsrpt_mailer.flows.replay import Recorded, Sent, as_sent, is_same_judgement, judged, replay
from tlsrpt_mailer.flows.review import review
from tlsrpt_mailer.ports import History, Maintenance
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time
from tlsrpt_mailer.store.queries import open_queries

MX = "mx1.example.com"
KEY = ("example.com", "sts", "certificate-expired", MX)
CLEAN = [window(-day) for day in range(1, 10)]


def recorded(
    *windows: Window,
    acts: tuple[HumanAct, ...] = (),
    established: dict[str, Time] | None = None,
    maintenance: tuple[Maintenance, ...] = (),
) -> Recorded:
    """The store's history of these windows, failure 17 among them."""
    by_domain: dict[str, list[Window]] = {}
    for one in windows:
        by_domain.setdefault(one.domain, []).append(one)
    histories = [
        History(
            domain,
            tuple(mine),
            {17: acts} if acts and domain == "example.com" else {},
            {KEY: 17} if domain == "example.com" else {},
        )
        for domain, mine in sorted(by_domain.items())
    ]
    return Recorded(histories, established or {}, maintenance)


def told(
    known: Recorded,
    people: Audience | None = None,
    since: Time = ZERO,
    until: Time = ZERO + 40 * DAY,
    standing: Standing = STANDING,
) -> list[Sent]:
    """What would have gone out, without reminders unless *people* are given."""
    said = judged(known, standing, since, until)
    found = replay(known, said, people or audience(), until)
    return [one for one in found if people is not None or one.event != "reminder"]


def owners(*blocks: DomainBlock, mx: tuple[MxBlock, ...] = ()) -> Audience:
    """The audience of `test_compose` with owners."""
    default = Owner(name="default", addresses=("postmaster@example.org",), is_default=True)
    return msgspec.structs.replace(audience(), directory=Directory(default, (), blocks, mx))


def test_an_incident_is_told_as_the_daemon_would_have_told_it() -> None:
    """One mail when the first report came, one when it was over, with the number of the store."""
    found = told(recorded(*CLEAN, failing(1), failing(2), window(3), window(4)))

    assert [
        (on(2, 12), "new", "ana@example.net", (17,)),
        (on(5, 12), "resolved", "ana@example.net", (17,)),
    ] == [(one.at, one.event, one.recipient, one.failures) for one in found]
    assert (
        "CRITICAL example.com: certificate expired on mx1.example.com [tlsrpt 17]"
        == found[0].subject
    )


def test_a_flood_of_invented_hosts_changes_nothing_of_what_is_told() -> None:
    """A stranger's old report of 60 hosts renames no failure, and hides no figure of it."""
    rows = [row(1, mx=f"a{number:02}.test") for number in range(60)]
    known = recorded(window(-30, SMALL, *rows), *CLEAN, failing(1), failing(2))
    (*_, last) = judged(known, STANDING, ZERO, on(4))
    memory = Recollection(known.histories, ())
    memory.learn(last.verdicts, last.at)
    memory.look_at(audience(), last.at)

    assert [1893, 1893] == [one.failed for one in memory.evidence(17) if one.failed]
    assert [("new", (17,))] == [(one.event, one.failures) for one in told(known, until=on(4))]


def test_the_store_and_the_replay_say_the_same(world: World) -> None:
    """What was mailed, day by day, is what a replay of the same rules says was mailed."""
    draw = random.Random(8460)
    people = msgspec.structs.replace(audience(wait=5 * MINUTE), schedule="off")
    sent: set[tuple[int, str, tuple[int, ...]]] = set()
    for day in range(30):
        for hour in range(0, 24, 2):
            world.now = NOW + day * DAY + hour * HOUR
            for domain in ("a.example", "b.example", "c.example") if hour == 12 else ():
                bad = (day // 5) % 2 == 1 and draw.random() < 0.7
                date = f"2026-{10 + (day + 13) // 31}-{(day + 13) % 31 + 1:02}"
                world.take(mail(report(domain, date, details=(detail(),) if bad else ())))
            review(world.store, STANDING, world.now)
            for letter in compose(world.store, people, world.now):
                failures = tuple(one.failure for one in letter.told) or letter.failures
                sent.add(((world.now - NOW) // DAY, letter.event, tuple(sorted(failures))))
    with open_queries(world.path) as reader:
        histories = [reader.history(name) for name in reader.domains(with_failures=True)]
    known = Recorded(histories, {})

    found = told(known, people, since=NOW, until=world.now)

    assert len(sent) > 5
    assert sent == {
        ((one.at - NOW) // DAY, one.event, tuple(sorted(one.failures))) for one in found
    }


def test_what_was_open_at_the_beginning_counts_as_told() -> None:
    """A replay of the last weeks begins with no flood about what everybody knows; its end is
    told, and so is what was over before and comes back."""
    known = recorded(*CLEAN, failing(1), failing(2), window(3), window(4), failing(8))

    assert ["resolved", "regressed"] == [one.event for one in told(known, since=on(3))]
    assert ["new"] == [one.event for one in told(known, since=on(6))]


def test_only_what_had_come_by_then_is_judged() -> None:
    """A report that came a week late tells nothing a week early."""
    late = failing(1, received=on(6))

    (only,) = told(recorded(*CLEAN, late), until=on(9))

    assert (on(6), "new") == (only.at, only.event)


def test_an_imported_mailbox_is_replayed_by_the_dates_of_its_mails() -> None:
    """What came all at once is told day by day; a Date before the window's end is not believed."""
    imported = on(30)
    windows = [
        failing(1, received=imported, date=on(2, 9)),
        failing(2, received=imported, date=on(0)),
        window(3, received=imported, date=on(4, 9)),
        window(4, received=imported, date=on(99)),
    ]

    at_once, day_by_day = told(recorded(*windows)), told(as_sent(recorded(*windows)))

    assert [] == [one for one in at_once if one.at < imported]
    assert [(on(2, 9), "new"), (imported, "resolved")] == [
        (one.at, one.event) for one in day_by_day
    ]
    assert on(3) in {one.received for one in as_sent(recorded(*windows)).histories[0].windows}


def test_other_owners_get_other_mails() -> None:
    """Whoever runs the MX is told once of both domains, where each owner was told of one."""
    windows = [
        one
        for domain in ("a.example", "b.example")
        for one in (failing(1, domain=domain), window(2, domain=domain), window(3, domain=domain))
    ]
    each = owners(
        DomainBlock(match=("a.example",), owners=(Owner(name="a", addresses=("a@a.example",)),)),
        DomainBlock(match=("b.example",), owners=(Owner(name="b", addresses=("b@b.example",)),)),
    )
    noc = Owner(name="noc", addresses=("noc@example.net",))
    one = owners(mx=(MxBlock(match=(MX,), owners=(noc,)),))
    known = recorded(*windows)

    by_domain, by_mx = told(known, each), told(known, one)

    assert [("new", "a@a.example"), ("new", "b@b.example")] == [
        (sent.event, sent.recipient) for sent in by_domain if sent.event == "new"
    ]
    assert [("new", "noc@example.net", 2), ("resolved", "noc@example.net", 2)] == [
        (sent.event, sent.recipient, len(sent.failures))
        for sent in by_mx
        if sent.event != "reminder"
    ]


def test_a_group_waits_for_company() -> None:
    """group_wait holds: two reports a few minutes apart are one mail."""
    first = failing(1, domain="a.example", received=on(2, 12))
    second = failing(1, domain="b.example", received=on(2, 12) + 2 * MINUTE)

    (sent,) = told(recorded(first, second), audience(wait=5 * MINUTE), until=on(3))

    assert (on(2, 12) + 5 * MINUTE, 2) == (sent.at, len(sent.failures))


def test_reminders_go_out_at_their_hour() -> None:
    """What nobody answered is asked after: critical after a day, at alerts.at."""
    failures = [failing(day) for day in range(1, 6)]

    found = told(recorded(*CLEAN, *failures), audience(), until=on(6))

    reminders = [one for one in found if one.event == "reminder"]
    assert reminders
    assert {8} == {one.at % DAY // HOUR for one in reminders}
    assert {(17,)} == {one.failures for one in reminders}


def test_no_reminder_beside_a_digest() -> None:
    """The digest, which a replay does not show, keeps reminders away as it does for the daemon."""
    failures = [failing(day) for day in range(1, 9)]
    daily = msgspec.structs.replace(audience(), schedule="daily")

    found = told(recorded(*CLEAN, *failures), daily, until=on(9))

    assert ["new"] == [one.event for one in found]


def test_what_people_said_counts_from_then_on() -> None:
    """An answer given on the fourth day silences reminders after it, not before it."""
    failures = [failing(day) for day in range(1, 9)]
    ack = HumanAct("ack", on(4), "ana", until=on(30))

    events = [
        (one.event, one.at < on(4))
        for one in told(recorded(*CLEAN, *failures, acts=(ack,)), audience(), until=on(9))
    ]

    assert ("new", True) == events[0]
    assert ("reminder", True) in events
    assert ("reminder", False) not in events


def test_maintenance_counts_from_when_it_was_planned() -> None:
    """What failed in planned quiet is told to nobody; planned afterwards, it had been told."""
    windows = (*CLEAN, failing(1), window(2), window(3))

    def planned(made_at: Time) -> list[str]:
        quiet = Maintenance(1, "domain", "example.com", on(0), on(3), "ana", None, made_at)
        return [one.event for one in told(recorded(*windows, maintenance=(quiet,)))]

    assert [] == planned(on(0))
    assert "new" == planned(on(20))[0]


def test_what_is_left_after_maintenance_is_one_mail() -> None:
    """What goes on failing once the planned quiet is over is told then."""
    quiet = Maintenance(3, "domain", "example.com", on(0), on(2), "ana", None, on(0))
    known = recorded(*CLEAN, failing(1), failing(2), maintenance=(quiet,))

    (only,) = told(known, until=on(4))

    assert (on(3, 12), "maintenance", (17,)) == (only.at, only.event, only.failures)


def test_a_stranger_gains_standing_on_the_day_it_did() -> None:
    """Failures that only an unknown reporter saw are low until its reports had made it known."""
    seen = [failing(day, SMALL) for day in range(1, 12)]

    never = told(recorded(*seen))
    known = told(recorded(*seen, established={SMALL: on(9)}))

    assert [] == never
    assert ["new"] == [one.event for one in known]
    assert known[0].at >= on(9)


def test_channels_are_replayed_too() -> None:
    """A channel gets what its rules let through, and no reminder."""
    people = msgspec.structs.replace(
        audience(), channels=(ChannelRule(name="hook", events=frozenset({"new"})),)
    )

    found = told(recorded(*CLEAN, failing(1), window(2), window(3)), people)

    assert ["new"] == [one.event for one in found if one.recipient == "channel:hook"]


def test_failures_without_a_number_get_one() -> None:
    """What the store has forgotten, or never numbered, is told all the same; causes stay apart."""
    windows = [
        *CLEAN,
        window(1, GOOGLE, row(10), row(9, "starttls-not-supported", "mx2.example.com")),
        window(1, MICROSOFT, row(10), good=5),
    ]

    found = told(recorded(*windows), until=on(3))

    assert {(17,), (18,)} == {one.failures for one in found if one.event == "new"}


def test_a_row_without_an_mx_changes_its_cause() -> None:
    """A failure without a host joins the cause of the only MX once that is known."""
    bare = window(1, GOOGLE, row(10, mx=None))
    named = window(2, MICROSOFT, row(10), good=5)

    found = told(recorded(bare, named, *(window(day) for day in (3, 4, 5))), audience())

    assert "new" == found[0].event
    assert {"resolved"} <= {one.event for one in found}


def test_a_flood_stays_capped() -> None:
    """max_per_hour holds in a replay as well."""
    windows = [failing(1, domain=f"d{n}.example", received=on(2, 12)) for n in range(4)] + [
        window(1, GOOGLE, row(9, mx=f"mx{n}.e{n}.example"), domain=f"e{n}.example")
        for n in range(4)
    ]
    people = audience()
    few = msgspec.structs.replace(
        people, settings=msgspec.structs.replace(people.settings, max_per_hour=2)
    )

    found = told(recorded(*windows), few, until=on(2, 18))

    assert ["new", "new", "flood"] == [one.event for one in found]


def test_rules_on_who_is_told_need_no_second_judgement() -> None:
    """Only reporters that are trusted and groups of domains change what is judged."""
    grouped = msgspec.structs.replace(STANDING, group_of={"a.example": "g"}.get)
    trusting = msgspec.structs.replace(STANDING, configured=frozenset({SMALL}))

    assert is_same_judgement(STANDING, STANDING, ["a.example"])
    assert is_same_judgement(STANDING, grouped, ["b.example"])
    assert not is_same_judgement(STANDING, grouped, ["a.example"])
    assert not is_same_judgement(STANDING, trusting, [])


def test_nothing_known_is_nothing_told() -> None:
    """An empty database has no history to try rules on."""
    assert [] == told(recorded())


def test_a_bad_day_for_hundreds_is_told_to_the_last() -> None:
    """More mails at once than the daemon composes in one go are all in the replay."""
    windows = [failing(1, domain=f"d{n}.example") for n in range(210)]
    blocks = [
        DomainBlock(
            match=(f"d{n}.example",),
            owners=(Owner(name=f"o{n}", addresses=(f"o{n}@d{n}.example",)),),
        )
        for n in range(210)
    ]
    # An MX of their own keeps them from being one cause of too many owners.
    apart = [
        msgspec.structs.replace(one, sightings=(row(9, mx=f"mx.{one.domain}"),)) for one in windows
    ]

    found = told(recorded(*apart), owners(*blocks), until=on(2, 14))

    assert {f"o{n}@d{n}.example" for n in range(210)} == {one.recipient for one in found}


def test_an_old_mailbox_is_one_mail_in_a_replay_too() -> None:
    """More than five open failures that are too old to be news are summed up in one."""
    rows = [row(mx=f"mx{number}.example.com") for number in range(6)]
    old = window(1, GOOGLE, *rows, received=on(12))
    others = [window(day, received=on(12)) for day in range(-9, 0)]

    found = told(recorded(*others, old))

    assert ["summary"] == [one.event for one in found]
    assert 6 == len(found[0].failures)
