"""From stored reports to frozen mails: who is told what, once."""

from email import message_from_bytes, policy

import msgspec
import pytest

from tests.flows.world import NOW, STANDING, World
from tests.mails import detail, mail, report
from tlsrpt_mailer.alerts.directory import Directory, MxBlock, Owner
from tlsrpt_mailer.alerts.model import Context, Settings
from tlsrpt_mailer.flows.compose import Audience, compose
from tlsrpt_mailer.flows.items import called, shown
from tlsrpt_mailer.flows.review import review
from tlsrpt_mailer.ports import Letter
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time

ANA, KIM = "ana@example.net", "kim@example.org"


def audience(*recipients: str, knob: str = "auto", wait: int = 0) -> Audience:
    return Audience(
        directory=Directory(
            Owner(name="alerts.to", addresses=recipients or (ANA,), is_default=True)
        ),
        settings=Settings(now=0, group_wait=wait),
        context=Context(
            now=0, host="mail.example.com", version="0", recipient="", sender="t@mail.example.com"
        ),
        names={"google.com": "Google"},
        tls_required_no=knob,
    )


def tell(world: World, people: Audience | None = None) -> list[Letter]:
    """What is due now, without reminders: they have tests of their own."""
    letters = compose(world.store, people or audience(), world.now)
    return [letter for letter in letters if letter.event != "reminder"]


def take_day(world: World, day: int, *, failing: bool, domain: str = "example.com") -> None:
    """A report about *day* October, the morning after."""
    world.now = NOW + (day - 13) * DAY
    world.take(mail(report(domain, f"2026-10-{day}", details=(detail(),) if failing else ())))


def test_a_new_failure_is_told_once(world: World) -> None:
    """The first report of a failure raises one mail; the next ones raise none."""
    take_day(world, 13, failing=True)
    first = tell(world)
    take_day(world, 14, failing=True)

    assert ["new"] == [letter.event for letter in first]
    assert "CRITICAL example.com: certificate expired on mx1.example.com" in first[0].subject
    assert [] == tell(world)


def test_a_mail_waits_for_company_of_its_cause(world: World) -> None:
    """Domains that fail for one cause within group_wait share one mail."""
    people = audience(wait=5 * MINUTE)
    take_day(world, 13, failing=True)
    early = tell(world, people)
    world.take(mail(report("shop.example")))
    world.now += 5 * MINUTE

    letters = tell(world, people)

    assert [] == early
    assert [2] == [len(letter.told) for letter in letters]


def test_the_end_is_told_in_the_same_thread(world: World) -> None:
    """Two clean days later comes one mail that it is over, as an answer to the first."""
    take_day(world, 13, failing=True)
    (first,) = tell(world)
    take_day(world, 14, failing=False)
    meanwhile = tell(world)
    take_day(world, 15, failing=False)

    (last,) = tell(world)

    assert [] == meanwhile
    assert "resolved" == last.event
    assert first.message_id == message_from_bytes(last.raw, policy=policy.default)["References"]


def test_a_failure_that_comes_back_is_told_as_such(world: World) -> None:
    """After it was told as over, the next failing day raises REGRESSED."""
    for day, failing in ((13, True), (14, False), (15, False)):
        take_day(world, day, failing=failing)
        tell(world)
    take_day(world, 16, failing=True)

    assert ["regressed"] == [letter.event for letter in tell(world)]


def test_one_domain_of_two_being_over_waits_a_day(world: World) -> None:
    """A cause ends in one mail; when half of it goes on for a day, PARTLY RESOLVED says so."""
    for day in (13, 14, 15):
        for domain in ("a.example", "b.example"):
            take_day(world, day, failing=day == 13 or domain == "b.example", domain=domain)
        if day == 13:
            tell(world)
    at_once = tell(world)
    world.now += 24 * HOUR

    (letter,) = tell(world)

    assert [] == at_once
    assert letter.subject.startswith("PARTLY RESOLVED")


def test_each_recipient_gets_a_mail_of_its_own(world: World) -> None:
    """One address a mail, and the text says who else got it."""
    take_day(world, 13, failing=True)

    letters = tell(world, audience(ANA, KIM))

    assert [ANA, KIM] == [letter.recipient for letter in letters]
    assert KIM.encode() in letters[0].raw
    assert letters[0].message_id != letters[1].message_id


def test_mail_to_the_domain_in_trouble_asks_relays_to_ignore_tls(world: World) -> None:
    """RFC 8689: an alert must pass through the servers it is about; others need no such favour."""
    take_day(world, 13, failing=True)

    other, own = tell(world, audience("postmaster@example.com", ANA))

    assert (b"TLS-Required: No" in own.raw, b"TLS-Required: No" in other.raw) == (True, False)


def test_the_knob_decides_for_all(world: World) -> None:
    """tls_required_no = "always" puts the header on every alert."""
    take_day(world, 13, failing=True)

    (letter,) = tell(world, audience(knob="always"))

    assert b"TLS-Required: No" in letter.raw


def test_composing_twice_freezes_the_same_message_id(world: World) -> None:
    """A crash before the commit repeats the very same mail, not another one."""
    take_day(world, 13, failing=True)
    seen: list[str] = []
    for _ in range(2):
        with world.store.compose() as txn:
            records = txn.failures()
        seen.append(str(records[0].id))
    (letter,) = tell(world)

    assert letter.message_id.startswith(f"<tlsrpt.{seen[0]}.new.1.")


def test_time_alone_makes_a_failure_stale(world: World) -> None:
    """When its only reporter falls silent, the review says stale, then closed; nobody is mailed."""
    take_day(world, 13, failing=True)
    tell(world)
    states: list[object] = []
    for days in (1, 10, 50):
        world.now = NOW + days * DAY
        review_at(world, world.now)
        states += [row[0] for row in world.rows("SELECT state FROM failures")]

    assert ["new", "stale", "closed"] == states
    assert [] == tell(world)


def review_at(world: World, now: Time) -> int:
    return review(world.store, STANDING, now)


def test_the_end_is_told_though_a_stranger_goes_on(world: World) -> None:
    """
    Who knew of the failure hears that it is over for those who are believed, even if a
    reporter that nobody knows still claims it; and hears of it again when it truly comes back.
    """
    stranger = {"organization": "Liar", "contact": "tls@liar.example"}
    told = []
    for day in range(13, 18):
        world.now = NOW + (day - 13) * DAY
        world.take(
            mail(report(day=f"2026-10-{day}", details=(detail(),) if day in (13, 17) else ())),
            mail(report(day=f"2026-10-{day}", **stranger), submitter="liar.example"),
        )
        told += [letter.event for letter in tell(world)]

    assert ["new", "resolved", "regressed"] == told


def test_a_failure_that_is_taken_back_claims_no_clean_days(world: World) -> None:
    """When a revision takes back what was told, the mail says that, not that days were clean."""
    world.take(mail(report(), date=NOW - 7200))
    tell(world)
    world.take(mail(report(details=()), date=NOW - 3600))

    (letter,) = tell(world)

    text = message_from_bytes(letter.raw, policy=policy.default).get_body(("plain",)).get_content()
    assert "resolved" == letter.event
    assert "has replaced the report that said so" in " ".join(text.split())
    assert "clean days" not in text


def test_nobody_is_called_by_the_name_that_he_gives_himself(world: World) -> None:
    """
    Whoever signs a report may write Google into it; a mail names the domain, and what nothing
    proves bears its mark.
    """
    body = report(organization="Google Inc.", details=(detail(),))
    world.take(mail(body, submitter="evil.example", sender="tls@evil.example"))

    with world.store.compose() as txn:
        (found,) = (shown(one, {"google.com": "Google"}) for one in txn.evidence(1))

    assert "evil.example" == found.reporter
    assert "Google (unverified)" == called("google.com (unverified)", {"google.com": "Google"})


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ((), "is run by Google: you cannot mend it yourself."),
        ((MxBlock(match=("*.google.com",), owners=(Owner(name="us", addresses=(KIM,)),)),), ""),
    ],
)
def test_who_runs_the_mx_is_known_by_its_name(
    world: World, blocks: tuple[MxBlock, ...], said: str
) -> None:
    """Unless a [[mx]] says that it is ours: then its owner is told how to mend it."""
    default = Owner(name="alerts.to", addresses=(ANA,), is_default=True)
    people = msgspec.structs.replace(audience(), directory=Directory(default, mx=blocks))
    world.take(mail(report(details=(detail(mx="aspmx.l.google.com"),))))

    found = [one for one in tell(world, people) if one.event == "new"]
    body = message_from_bytes(found[0].raw, policy=policy.default).get_body(("plain",))
    assert body is not None
    text = " ".join(body.get_content().split())

    assert said in text
    assert bool(said) == ("is run by Google" in text)
