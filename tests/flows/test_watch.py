"""Who hears of reports that stop, come again, or begin."""

from collections.abc import Iterable
from email import message_from_bytes, policy

import msgspec
import pytest

from tests.flows.watching import Watch
from tests.flows.world import World
from tests.mails import mail, report
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock, Owner
from tlsrpt_mailer.alerts.model import Context, Settings
from tlsrpt_mailer.alerts.route import ChannelRule
from tlsrpt_mailer.flows.beginnings import watch_beginnings
from tlsrpt_mailer.flows.compose import Audience, compose
from tlsrpt_mailer.flows.watch import watch
from tlsrpt_mailer.flows.watch_sources import watch_sources
from tlsrpt_mailer.ports import Letter, SentCanary
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time, iso
from tlsrpt_mailer.store.notices import silent_pairs

ANA, KIM, ROOT, DEFAULT = "ana@a.test", "kim@k.test", "root@example.com", "post@example.com"
ZERO: Time = 20_727 * DAY
"""2026-10-01."""
GOOGLE, MICROSOFT = "google.com", "microsoft.com"


def owner(address: str) -> Owner:
    return Owner(name=address, addresses=(address,))


@pytest.fixture
def people() -> Audience:
    return Audience(
        directory=Directory(
            Owner(name="alerts.to", addresses=(DEFAULT,), is_default=True),
            domains=[
                DomainBlock(match=("*.ana.example",), owners=(owner(ANA),)),
                DomainBlock(match=("*.kim.example",), owners=(owner(KIM),)),
                DomainBlock(match=("*.both.example",), owners=(owner(ANA), owner(KIM))),
            ],
        ),
        settings=Settings(now=0),
        context=Context(
            now=0, host="mail.example.com", version="0", recipient="", sender="t@example.com"
        ),
        names={GOOGLE: "Google", MICROSOFT: "Microsoft"},
        operator=(ROOT,),
    )


def day(number: int) -> Time:
    return ZERO + number * DAY


def send(
    world: World, days: Iterable[int], domain: str, reporter: str = GOOGLE, *, sessions: int = 90
) -> None:
    """The reports of these days, each at noon of the day after."""
    for number in days:
        world.now = day(number + 1) + 12 * HOUR
        about = iso(day(number))[:10]
        body = report(domain, about, organization=reporter, details=(), successful=sessions)
        world.take(mail(body, submitter=reporter))


def look(world: World, people: Audience, at: Time, **more: Time) -> list[tuple[str, str, str]]:
    """What is told at *at*: event, recipient, subject."""
    return shown(letters(world, people, at, **more))


def letters(world: World, people: Audience, at: Time, **more: Time) -> list[Letter]:
    world.now = at
    return watch(world.store.watching, people, at, **more)


def shown(found: list[Letter]) -> list[tuple[str, str, str]]:
    return [(one.event, one.recipient, one.subject.removesuffix(" [tlsrpt]")) for one in found]


def text_of(letter: Letter) -> str:
    body = message_from_bytes(letter.raw, policy=policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def facts_of(letter: Letter) -> list[str]:
    return list(message_from_bytes(letter.raw, policy=policy.default).get_all("X-TLSRPT-Mailer"))


STOPPED = day(29) + 12 * HOUR + 4 * DAY
"""Six days after the window of day 27, due half a day after its end: five whole days."""


def test_a_reporter_that_stops_is_told_once_to_those_it_mattered_to(
    world: World, people: Audience
) -> None:
    """
    Google stops on Ana's two domains and Kim's one. Ana hears of it in one mail, since half
    of what is known of one came through it; Kim, who has it all from Microsoft, finds it in
    the digest. Nobody hears of it twice, and Ana not of Kim's domain.
    """
    send(world, range(28), "a.ana.example")
    send(world, range(28), "b.ana.example", sessions=10)
    send(world, range(28), "c.kim.example", sessions=10)
    for domain in ("b.ana.example", "c.kim.example"):
        send(world, range(40), domain, MICROSOFT)
    send(world, range(40), "d.ana.example")

    assert [] == look(world, people, STOPPED - 1)
    (told,) = letters(world, people, STOPPED)
    assert [] == look(world, people, STOPPED + 3 * DAY)

    assert [("silent", ANA, "NOTICE Google has stopped reporting on 2 domains")] == shown([told])
    assert ["event=silent; cause=reporter; reporter=google.com; domains=2"] == facts_of(told)
    text = text_of(told)
    assert "still reports on 1 other domain of yours" in text
    assert "a.ana.example" in text
    assert "b.ana.example" in text
    assert b"kim" not in told.raw
    assert [
        ("a.ana.example", GOOGLE),
        ("b.ana.example", GOOGLE),
        ("c.kim.example", GOOGLE),
    ] == [(one.domain, one.reporter) for one in silent(world)]
    send(world, [40], "c.kim.example")
    assert [] == look(world, people, world.now)
    assert [None, None, world.now] == [one.back for one in silent(world)]


def silent(world: World, since: Time = 0) -> list[object]:
    """As the digest asks."""
    with world.store.writer.reading() as conn:
        return list(silent_pairs(conn, since))


def test_every_owner_of_a_domain_is_told(world: World, people: Audience) -> None:
    """Two owners get a mail each; each reads of his own other domains only."""
    send(world, range(28), "x.both.example")
    send(world, range(40), "x.both.example", MICROSOFT, sessions=1)
    send(world, range(40), "a.ana.example")

    first, second = letters(world, people, STOPPED)

    assert [ANA, KIM] == [first.recipient, second.recipient]
    assert "still reports on 1 other domain of yours" in text_of(first)
    assert "reports on no other domain of yours" in text_of(second)


def test_the_same_reporter_again_is_told_once(world: World, people: Audience) -> None:
    """When the reports resume on all domains, who was told hears of it, once."""
    send(world, range(28), "a.ana.example")
    send(world, range(28), "b.ana.example")
    send(world, range(50), "c.kim.example")
    assert 1 == len(look(world, people, STOPPED))
    send(world, range(34, 36), "a.ana.example")
    alone = look(world, people, world.now)
    send(world, range(35, 37), "b.ana.example")

    (told,) = letters(world, people, world.now)

    assert [] == alone
    assert [("silent", ANA, "NOTICE Google reports on 2 domains again")] == shown([told])
    assert "about 28 Oct" in text_of(told)
    assert [] == look(world, people, world.now + HOUR)
    assert [] == silent(world, since=world.now)
    assert 2 == len(silent(world, since=world.now - 9 * DAY))


def test_what_stays_silent_is_named_and_told_later(world: World, people: Audience) -> None:
    """Three days after the first domain came back, the mail names those that did not."""
    send(world, range(28), "a.ana.example")
    send(world, range(28), "b.ana.example")
    send(world, range(60), "c.kim.example")
    look(world, people, STOPPED)
    send(world, range(34, 50), "a.ana.example")
    back = day(36)
    first = [look(world, people, at) for at in (back, back + 3 * DAY - 1)]

    (told,) = letters(world, people, back + 3 * DAY)
    later = look(world, people, back + 9 * DAY)
    send(world, range(48, 50), "b.ana.example")

    assert [[], []] == first
    assert "NOTICE Google reports on a.ana.example again [tlsrpt]" == told.subject
    assert "Still silent: 1 domain." in text_of(told)
    assert [] == later
    assert [("silent", ANA, "NOTICE Google reports on b.ana.example again")] == look(
        world, people, world.now
    )


def test_a_domain_of_which_nobody_speaks_is_told_to_its_owner(
    world: World, people: Audience
) -> None:
    """All its reporters stopped, and report on others: most likely the record is gone."""
    for reporter in (GOOGLE, MICROSOFT):
        send(world, range(28), "a.ana.example", reporter)
        send(world, range(60), "c.kim.example", reporter)

    (told,) = letters(world, people, STOPPED)
    again = look(world, people, STOPPED + 5 * DAY)
    send(world, range(36, 38), "a.ana.example")
    (back,) = letters(world, people, world.now)

    assert [("silent", ANA, "WARNING a.ana.example: TLS reports have stopped")] == shown([told])
    assert "dig +short TXT _smtp._tls.a.ana.example" in text_of(told)
    assert ["event=silent; cause=domain; domain=a.ana.example"] == facts_of(told)
    assert b"kim" not in told.raw
    assert [] == again
    assert [("silent", ANA, "NOTICE a.ana.example: TLS reports come in again")] == shown([back])
    assert "Still silent: 1 reporter." in text_of(back)
    assert "Microsoft" in text_of(back)
    assert [] == look(world, people, world.now + DAY)
    send(world, [38], "a.ana.example", MICROSOFT)
    assert [("silent", ANA, "NOTICE Microsoft reports on a.ana.example again")] == look(
        world, people, world.now
    )


def test_a_record_that_is_gone_is_told_as_that_and_not_as_silence_too(
    watch: Watch, people: Audience
) -> None:
    """
    Both domains fall silent. Of the one whose record is gone that was said already, by what our
    own looks found; of the other it is said that its record is in place.
    """
    world = watch.world
    for name in ("a.ana.example", "b.ana.example"):
        watch.sky.domain(name)
    for reporter in (GOOGLE, MICROSOFT):
        for name in ("a.ana.example", "b.ana.example"):
            send(world, range(28), name, reporter)
        send(world, range(40), "d.kim.example", reporter)
    world.now = day(28)
    watch.enrol("a.ana.example", "b.ana.example")
    watch.until(day(29))
    watch.sky.put("_smtp._tls.a.ana.example", "TXT")
    watch.until(day(39))

    (told,) = letters(world, people, day(39))

    assert "WARNING b.ana.example: TLS reports have stopped [tlsrpt]" == told.subject
    assert "our records   in place, and it names us (looked up" in text_of(told)
    assert ["tlsrpt-gone"] == [code for code, *_ in watch.states()]
    assert {"a.ana.example", "b.ana.example"} == {one.domain for one in silent(world)}  # type: ignore[attr-defined]


def test_the_last_test_report_is_named_with_a_silence(world: World, people: Audience) -> None:
    """What came back from outside shows that reports could come."""
    send(world, range(28), "a.ana.example")
    send(world, range(40), "d.kim.example")
    sent = SentCanary(token="ab", address="tlsrpt@example.com", sent_at=day(39))
    world.store.canaries.save(sent)
    with world.store.write() as txn:
        txn.canary_came("ab", day(39) + 41, "test:box", "pass")

    (told,) = letters(world, people, day(40))

    assert "the last test report took 41 s" in text_of(told)


def test_nothing_at_all_is_told_to_the_operator_alone(world: World, people: Audience) -> None:
    """With every regular reporter silent it is our intake: no owner is troubled."""
    for domain in ("a.ana.example", "c.kim.example"):
        for reporter in (GOOGLE, MICROSOFT):
            send(world, range(28), domain, reporter)
    world.store.state.save_source("imap:box", state="ok", since=0)

    (told,) = letters(world, people, STOPPED)
    again = look(world, people, STOPPED + 9 * DAY)
    send(world, [44], "a.ana.example")
    (back,) = letters(world, people, world.now)

    subject = "OPERATOR no TLS reports come in: none since 29 Oct"
    assert [("operator", ROOT, subject)] == shown([told])
    assert ["event=silent; cause=intake; source="] == facts_of(told)
    assert "All 2 regular reporters are silent at once" in text_of(told)
    assert "imap:box" in text_of(told)
    assert [] == again
    assert [("operator", ROOT, "OPERATOR TLS reports come in again")] == shown([back])


def test_after_a_week_without_intake_nobody_is_blamed(world: World, people: Audience) -> None:
    """What we did not hear is no silence of theirs; who is silent since, is told later."""
    for reporter in (GOOGLE, MICROSOFT):
        send(world, range(28), "a.ana.example", reporter)
        send(world, range(28), "c.kim.example", reporter)
    look(world, people, STOPPED)
    send(world, [35], "c.kim.example")
    back = look(world, people, world.now)
    send(world, range(36, 60), "c.kim.example")
    send(world, range(35, 60), "a.ana.example", MICROSOFT)

    soon = look(world, people, day(39))
    later = look(world, people, day(43))

    assert ["operator"] == [event for event, _, _ in back]
    assert [] == soon
    assert [("silent", ANA), ("silent", KIM)] == [(event, who) for event, who, _ in later]


def test_an_old_archive_blames_nobody(world: World, people: Audience) -> None:
    """Reports of a time before this program looked: nothing fell silent before its eyes."""
    send(world, range(28), "a.ana.example")
    raws = [
        mail(report("c.kim.example", iso(day(number))[:10], details=()), submitter=MICROSOFT)
        for number in range(28)
    ]
    world.now = day(60)
    world.store.close()
    fresh = World(world.path.parent / "fresh", now=world.now)
    try:
        fresh.take(*raws)

        assert [] == look(fresh, people, day(60))
    finally:
        fresh.store.close()


def test_who_slept_blames_no_intake(world: World, people: Audience) -> None:
    """Just started again after a week, the program waits a day for what comes in."""
    send(world, range(28), "a.ana.example")

    assert [] == look(world, people, day(40), awake_since=day(39) + 1)
    assert 1 == len(look(world, people, day(40), awake_since=day(39)))


def test_a_source_in_trouble_is_no_silence(world: World, people: Audience) -> None:
    """While one of two ways in does not work, what comes by it is silent for our own reason."""
    send(world, range(28), "a.ana.example")
    send(world, range(60), "c.kim.example", MICROSOFT)
    world.store.state.save_source("test:box", state="trouble", since=day(29), error="no")

    assert [] == look(world, people, STOPPED)
    assert [] == look(world, people, day(45))
    assert [] == silent(world)


def test_nothing_comes_in_and_a_source_has_said_why(world: World, people: Audience) -> None:
    """The operator knows already: that source is in trouble."""
    send(world, range(28), "a.ana.example")
    world.store.state.save_source("test:box", state="trouble", since=day(29), error="no")

    assert [] == look(world, people, STOPPED)


def test_domains_that_fall_silent_soon_after_are_in_the_digest(
    world: World, people: Audience
) -> None:
    """One mail a reporter: what follows within two weeks is listed; what comes later is told."""
    send(world, range(28), "a.ana.example")
    send(world, range(32), "b.ana.example")
    send(world, range(55), "e.ana.example")
    send(world, range(80), "c.kim.example")
    for domain in ("a.ana.example", "b.ana.example", "e.ana.example"):
        send(world, range(80), domain, MICROSOFT, sessions=1)

    first = look(world, people, STOPPED)
    soon = look(world, people, STOPPED + 5 * DAY)
    late = letters(world, people, day(61))

    assert ["NOTICE Google has stopped reporting on a.ana.example"] == [one[2] for one in first]
    assert [] == soon
    assert ["NOTICE Google has stopped reporting on e.ana.example [tlsrpt]"] == [
        one.subject for one in late
    ]
    assert 3 == len(silent(world))


def test_a_domain_that_falls_silent_again_is_told_again(world: World, people: Audience) -> None:
    """Back for three weeks, then silent: that is news once more."""
    send(world, range(28), "a.ana.example")
    send(world, range(99), "c.kim.example")
    told = [look(world, people, STOPPED)]
    send(world, range(34, 60), "a.ana.example")
    told += [look(world, people, at) for at in (day(61), day(67), day(68))]

    assert [1, 1, 0, 1] == [len(one) for one in told]


def test_a_source_that_does_not_work_is_told_after_a_quarter_of_an_hour(
    world: World, people: Audience
) -> None:
    """The operator hears what the other side said, again a day later, and when it works."""
    state = world.store.state
    name, began = "imap:tlsrpt@imap.example.com", day(0)
    state.save_source("lmtp:127.0.0.1:8825", state="ok", since=0)
    said = {"error": "NO [AUTHENTICATIONFAILED] no\nSet auth", "tries": 84}
    state.save_source(name, state="trouble", since=began, next_try=began + 20 * MINUTE, **said)

    def at(moment: Time) -> list[Letter]:
        return watch_sources(world.store.watching, people, moment)

    early = at(began + 15 * MINUTE - 1)
    (first,) = at(began + 15 * MINUTE)
    quiet = at(began + 23 * HOUR)
    (again,) = at(began + 15 * MINUTE + DAY)
    state.save_source(name, state="starting", since=began + 2 * DAY)
    starting = at(began + 2 * DAY)
    state.save_source(name, state="ok", since=began + 2 * DAY)
    (over,) = at(began + 2 * DAY)

    assert [[], [], []] == [early, quiet, starting]
    assert [("operator", ROOT), ("operator", ROOT), ("operator", ROOT)] == [
        (one.event, one.recipient) for one in (first, again, over)
    ]
    assert f"OPERATOR {name} does not work since 1 Oct 00:00Z [tlsrpt]" == first.subject
    assert f"OPERATOR {name} still does not work since 1 Oct 00:00Z [tlsrpt]" == again.subject
    assert f"OPERATOR {name} works again [tlsrpt]" == over.subject
    text = text_of(first)
    assert "Since 1 Oct 00:00Z (15 min), 84 tries, the next in 5 min." in text
    assert "NO [AUTHENTICATIONFAILED] no" in text
    assert "Nothing is lost" in text
    assert "other sources work" in text
    assert [
        "event=silent; cause=intake; source=imap:tlsrpt_imap.example.com; state=trouble"
    ] == facts_of(first)
    assert [] == at(began + 3 * DAY)


def test_a_source_that_is_configured_no_more_is_said_nothing_of(
    world: World, people: Audience
) -> None:
    """Who takes it out of the configuration knows that it does not work."""
    world.store.state.save_source("smtp:25", state="trouble", since=day(0), error="in use")
    (told,) = watch_sources(world.store.watching, people, day(1))
    world.store.state.keep_sources([])

    assert "Senders are turned away" in text_of(told)
    assert [] == watch_sources(world.store.watching, people, day(2))
    world.store.state.save_source("smtp:25", state="trouble", since=day(3), error="in use")
    assert 1 == len(watch_sources(world.store.watching, people, day(4)))


def test_a_run_that_ends_remembers_since_when(world: World, people: Audience) -> None:
    """`once` by cron finds a source in trouble anew at each run: the operator hears of it."""
    found = []
    for minutes in (0, 10, 20):
        now = day(1) + minutes * MINUTE
        world.store.state.save_source("imap:box", state="trouble", since=now, error="no")
        found.append(watch_sources(world.store.watching, people, now))

    assert [0, 0, 1] == [len(letters) for letters in found]
    assert "Since 2 Oct 00:00Z (20 min)" in text_of(found[2][0])


def test_a_source_that_recovers_soon_is_said_nothing_of(world: World, people: Audience) -> None:
    """A server that restarts is no news, neither its trouble nor its end."""
    state = world.store.state
    state.save_source("imap:box", state="trouble", since=day(1), error="no")
    begin_ = watch_sources(world.store.watching, people, day(1) + MINUTE)
    state.save_source("imap:box", state="ok", since=day(1) + 5 * MINUTE)

    assert [] == begin_
    assert [] == watch_sources(world.store.watching, people, day(1) + HOUR)


def test_channels_hear_of_a_source_and_of_every_owner(world: World, people: Audience) -> None:
    """A channel without a filter is handed what is mailed: two owners' news are two notices."""
    wide = msgspec.structs.replace(people, channels=(ChannelRule(name="hook"),))
    send(world, range(28), "a.ana.example")
    send(world, range(28), "b.kim.example")
    send(world, range(40), "a.ana.example", MICROSOFT, sessions=1)
    send(world, range(40), "b.kim.example", MICROSOFT, sessions=1)
    world.now = STOPPED
    watch(world.store.watching, wide, STOPPED)
    world.store.state.save_source("imap:box", state="trouble", since=STOPPED, error="no")
    watch_sources(world.store.watching, wide, STOPPED)
    watch_sources(world.store.watching, wide, STOPPED + HOUR)

    notices = world.rows("SELECT event FROM letters WHERE recipient = ?", "channel:hook")

    assert [("silent",), ("silent",), ("operator",)] == notices


# ------------------------------------------------------------------ first reports


def begin(world: World, people: Audience, at: Time) -> list[Letter]:
    return watch_beginnings(world.store.watching, people, at)


def test_the_first_reports_are_told_once_together(world: World, people: Audience) -> None:
    """
    One mail a recipient an hour after the first report, with what has come by then. Domains
    that begin later are not announced.
    """
    send(world, [0], "a.ana.example", sessions=5412)
    send(world, [0], "b.ana.example", sessions=57)
    send(world, [0], "c.kim.example", MICROSOFT, sessions=7)
    now = world.now

    early = begin(world, people, now + HOUR - 1)
    told = begin(world, people, now + HOUR)
    send(world, [1, 2], "new.ana.example")

    assert [] == early
    assert [
        ("first", ANA, "First TLS report: a.ana.example and 1 more are live"),
        ("first", KIM, "First TLS report: c.kim.example is live"),
    ] == shown(told)
    assert "It works: the first report of Google on 2 domains has arrived." in text_of(told[0])
    assert "5,469 sessions, none failed." in text_of(told[0])
    assert b"kim" not in told[0].raw
    assert ["event=first; domains=2"] == facts_of(told[0])
    assert [] == begin(world, people, world.now + 5 * DAY)


def test_a_first_report_may_bring_bad_news(world: World, people: Audience) -> None:
    """It works, and something fails: the mail about that is another one."""
    world.now = day(1) + 12 * HOUR
    world.take(mail(report("a.ana.example", "2026-10-01")))

    (told,) = begin(world, people, world.now + HOUR)

    assert "1,893 of 5,326 sessions failed (36 %)" in text_of(told)


def test_who_had_an_alert_knows_that_it_works(world: World, people: Audience) -> None:
    """The alert came within minutes; a mail that reports begin would come an hour late."""
    world.now = day(1) + 12 * HOUR
    world.take(mail(report("a.ana.example", "2026-10-01")))
    alerts = compose(world.store, people, world.now + 5 * MINUTE)

    assert [ANA] == [letter.recipient for letter in alerts]
    assert [] == begin(world, people, world.now + HOUR)
    assert [(ANA, None)] == world.rows("SELECT recipient, told_at FROM notices")


def test_an_old_mailbox_is_no_beginning(world: World, people: Audience) -> None:
    """Where the oldest report is over a week old, reports have been coming all along."""
    send(world, range(9), "a.ana.example")

    assert [] == begin(world, people, world.now + DAY)
    send(world, [12], "b.ana.example")
    send(world, [12], "c.kim.example")
    send(world, [12], "nobodys.example")
    found = begin(world, people, world.now + HOUR)
    assert [KIM, DEFAULT] == [one.recipient for one in found]
    assert [] == begin(world, people, world.now + 2 * HOUR)
