"""When digests go out, to whom, and that none comes twice."""

from contextlib import AbstractContextManager
from email import message_from_bytes, policy

import msgspec
import pytest

from tests.flows.world import NOW, STANDING, World
from tests.mails import detail, mail, report
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock, Owner
from tlsrpt_mailer.alerts.model import Context, Settings
from tlsrpt_mailer.flows.compose import Audience, compose
from tlsrpt_mailer.flows.digest import FACT, Plan, send_digests, until_now
from tlsrpt_mailer.flows.review import review
from tlsrpt_mailer.ports import Letter
from tlsrpt_mailer.report.times import DAY, HOUR, Time
from tlsrpt_mailer.store.digesting import DigestReader, open_digest_reader

ANA, POST, ROOT = "ana@shop.example", "postmaster@example.com", "root@mail.example.com"
MONDAY: Time = NOW + 4 * DAY + 20 * HOUR
"""2026-10-19T08:00:00Z."""
PLAN = Plan(schedule="weekly", zone="UTC")


def audience(
    *, default: tuple[str, ...] = (POST,), skips: bool = True, knob: str = "auto", **more: object
) -> Audience:
    """shop.example is Ana's, all else is the default's."""
    ana = Owner(name="shop", addresses=(ANA,), skips_empty=skips)
    made = Audience(
        directory=Directory(
            Owner(name="default", addresses=default, is_default=True, skips_empty=False),
            (ana,),
            (DomainBlock(match=("shop.example", "*.shop.example"), owners=(ana,)),),
        ),
        settings=Settings(now=0, group_wait=0),
        context=Context(
            now=0, host="mail.example.com", version="0", recipient="", sender="t@mail.example.com"
        ),
        names={"google.com": "Google"},
        tls_required_no=knob,
    )
    return msgspec.structs.replace(made, **more)


def digest(world: World, people: Audience | None = None, plan: Plan = PLAN) -> list[Letter]:
    """What is due now."""

    def opened() -> AbstractContextManager[DigestReader]:
        return open_digest_reader(world.path)

    return send_digests(
        world.store, world.store.state, opened, people or audience(), plan, world.now
    )


def take_week(world: World, *failing: str) -> None:
    """Reports about 12 to 17 October on two domains, each the morning after; 13 Oct fails."""
    for day in range(12, 18):
        world.now = NOW + (day - 13) * DAY
        for domain in ("example.com", "shop.example"):
            bad = domain in failing and day == 13
            world.take(mail(report(domain, f"2026-10-{day}", details=(detail(),) if bad else ())))
    world.now = MONDAY


def text(letter: Letter) -> str:
    body = message_from_bytes(letter.raw, policy=policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_the_week_goes_out_once(world: World) -> None:
    """On Monday at eight, to who owns what; not before, and not again a minute later."""
    take_week(world)
    world.now = MONDAY - 1
    before = digest(world)
    world.now = MONDAY

    letters = digest(world)
    world.now += 60

    assert [] == before
    assert [POST] == [one.recipient for one in letters]
    assert "TLS week 12-18 Oct: all well, 1 domain [tlsrpt]" == letters[0].subject
    assert "digest" == letters[0].event
    assert [] == digest(world)
    assert str(MONDAY) == world.store.state.fact(FACT)


def test_a_digest_that_was_composed_before_a_crash_is_not_composed_again(world: World) -> None:
    """The mail was written and the note was not: the same Message-ID keeps the second away."""
    take_week(world)
    first = digest(world)
    with world.store.writer.transaction() as conn:
        conn.execute("DELETE FROM facts WHERE name = ?", (FACT,))
    world.now += HOUR

    again = digest(world)

    assert [one.message_id for one in first] == [one.message_id for one in again]
    assert 1 == len([one for one in world.store.outbox.due(world.now) if one.letter.event])


def test_a_clock_that_was_wrong_silences_nothing(world: World) -> None:
    """A digest that was noted for the year 2030 does not stop those of today."""
    take_week(world)
    world.store.state.save_fact(FACT, str(MONDAY + 1500 * DAY))

    assert 1 == len(digest(world))
    assert [] == digest(world)


def test_an_address_is_one_however_it_is_written(world: World) -> None:
    """Capitals make no second recipient: owner, operator and default are one person."""
    take_week(world)
    plan = msgspec.structs.replace(PLAN, operator=("Ana@Shop.Example",))

    letters = digest(world, audience(default=("ANA@shop.example", POST)), plan)

    assert 2 == len(letters)
    (ana,) = [one for one in letters if one.recipient.lower() == ANA]
    assert "operator: 2 domains" in ana.subject
    assert "to 2 domains" in text(ana)


def test_a_daemon_that_was_down_catches_up_with_the_last_week_alone(world: World) -> None:
    """Three Mondays asleep bring one digest, late, not three."""
    take_week(world)
    world.now = MONDAY + 16 * DAY

    letters = digest(world)

    subjects = {one.recipient: one.subject for one in letters}
    expected = "TLS week 26 Oct - 1 Nov: no reports, 1 domain [tlsrpt]"
    assert {ANA: expected, POST: expected} == subjects
    assert [] == digest(world)


def test_there_is_none_before_the_first_report(world: World) -> None:
    """A fresh install does not write on its first Monday that there is nothing to say."""
    world.now = MONDAY
    empty = digest(world)
    world.now = MONDAY + HOUR
    world.take(mail(report("example.com", "2026-10-18", details=())))

    same_week = digest(world)
    world.now = MONDAY + 7 * DAY

    assert [] == empty
    assert [] == same_week
    assert [POST] == [one.recipient for one in digest(world)]


def test_an_owner_reads_of_his_own_domains_alone(world: World) -> None:
    """Ana's digest has her failure, the default's has not."""
    take_week(world, "shop.example")

    ana, post = digest(world)

    assert (ANA, POST) == (ana.recipient, post.recipient)
    assert "certificate expired on mx1.example.com" in text(ana)
    assert "You get this as an owner (shop)." in text(ana)
    assert "shop.example" not in text(post)
    assert "example.com  " not in text(ana).replace("mx1.example.com", "")


def test_an_owner_with_nothing_to_read_is_skipped_unless_he_wants_it(world: World) -> None:
    """A quiet week is said to the default recipients, and to owners who asked for that."""
    take_week(world)

    letters = digest(world, audience(skips=False))

    assert [ANA, POST] == [one.recipient for one in letters]
    assert text(letters[0]).startswith("All well: ")


@pytest.mark.parametrize(("skips", "recipients"), [(False, [POST, ROOT]), (True, [POST])])
def test_the_operator_has_his_page(world: World, skips: bool, recipients: list[str]) -> None:
    """His page comes every week, or, by when_empty, when there is something to do."""
    take_week(world)
    plan = msgspec.structs.replace(PLAN, operator=(ROOT,), skips_empty=skips)

    letters = digest(world, plan=plan)

    assert recipients == [one.recipient for one in letters]
    if not skips:
        assert "operator: 2 domains" in letters[1].subject
        assert "12 mails, all with reports stored." in text(letters[1])


def test_an_operator_who_owns_domains_gets_one_mail(world: World) -> None:
    """One address, one mail: the operator's page and his own domains."""
    take_week(world)
    plan = msgspec.structs.replace(PLAN, operator=(POST,))

    (letter,) = digest(world, plan=plan)

    assert "YOUR OWN DOMAINS" in text(letter)


def test_who_owns_nothing_gets_nothing(world: World) -> None:
    """A default recipient to whom no domain is left is not told every week that all is well."""
    world.now = NOW
    world.take(mail(report("shop.example", details=())))
    world.now = MONDAY

    assert [ANA] == [one.recipient for one in digest(world, audience(skips=False))]


def test_domains_of_the_configuration_are_there_without_a_report(world: World) -> None:
    """A domain that was named and never reported on is missed, not forgotten."""
    world.now = NOW
    world.take(mail(report("example.com", details=())))
    world.now = MONDAY

    (ana, _) = digest(world, audience(skips=False))

    assert "No report has come on your 1 domain yet." in text(ana)


def test_the_log_gets_no_digest(world: World) -> None:
    """Where alerts.to names nobody, nobody is mailed a week."""
    take_week(world)

    assert [] == digest(world, audience(default=("log",)))


def test_off_is_off(world: World) -> None:
    """No schedule, no digest."""
    take_week(world)

    assert [] == digest(world, plan=msgspec.structs.replace(PLAN, schedule="off"))


def test_an_open_failure_can_be_answered(world: World) -> None:
    """The mail has an address of its own for answers, and names what they are about."""
    take_week(world)
    world.take(mail(report("shop.example", "2026-10-18")))
    people = audience(reply_to="tls@example.com", new_token=lambda: "t0ken")

    ana, post = digest(world, people)

    assert ("t0ken", (1,)) == (ana.token, ana.failures)
    assert b"Reply-To: TLS reports <tls+ack-t0ken@example.com>" in ana.raw
    assert (None, ()) == (post.token, post.failures)
    assert [(1, "digest")] == world.rows("SELECT failure_id, event FROM letter_failures")


def test_what_was_told_and_ended_is_mended(world: World) -> None:
    """A failure that raised an alert is under MENDED; another came and went unseen."""
    people = audience()
    world.now = NOW - DAY
    world.take(mail(report("shop.example", "2026-10-12")))
    compose(world.store, people, world.now)
    for day in (13, 14):
        world.now = NOW + (day - 13) * DAY
        world.take(mail(report("shop.example", f"2026-10-{day}", details=())))
    world.now = MONDAY

    (letter,) = digest(world, people)

    assert "MENDED\n     1  shop.example" in text(letter)
    assert "1 mended" in letter.subject


def test_stale_failures_say_when_they_are_closed(world: World) -> None:
    """Nobody speaks of it any more: an own list, with the day on which it is given up."""
    world.now = NOW
    world.take(mail(report("shop.example")))
    world.now = MONDAY + 7 * DAY
    review(world.store, STANDING, world.now)

    (letter, *_) = digest(world)

    assert "NO LONGER REPORTED" in text(letter)
    assert "closed unconfirmed on" in text(letter)


@pytest.mark.parametrize(("knob", "asks"), [("auto", True), ("always", True), ("never", False)])
def test_a_digest_about_its_readers_own_domain_asks_for_delivery(
    world: World, knob: str, asks: bool
) -> None:
    """RFC 8689: news of broken TLS does not wait behind broken TLS."""
    take_week(world)
    world.take(mail(report("shop.example", "2026-10-18")))

    ana, post = digest(world, audience(knob=knob))

    assert asks == (b"TLS-Required: No" in ana.raw)
    assert (knob == "always") == (b"TLS-Required: No" in post.raw)


def test_the_owner_of_the_mx_is_asked_for_delivery_too(world: World) -> None:
    """The reader's own MX is in trouble, whosever the domain is."""
    people = audience(default=("admin@mx1.example.com", "me@example.com", "you@else.example"))
    world.now = NOW
    world.take(mail(report("other.example")))
    world.now = MONDAY

    found = {one.recipient: b"TLS-Required: No" in one.raw for one in digest(world, people)}

    assert {
        "admin@mx1.example.com": True,
        "me@example.com": True,
        "you@else.example": False,
    } == found


@pytest.mark.parametrize(
    ("schedule", "length"),
    [("weekly", 7 * DAY), ("daily", DAY), ("off", 7 * DAY), ("0 8 1 * *", 30 * DAY)],
)
def test_a_digest_of_now_is_as_long_as_the_schedule(schedule: str, length: int) -> None:
    """The command shows one length of the schedule, up to now."""
    plan = Plan(schedule=schedule, zone="UTC")

    period = until_now(audience(), plan, MONDAY + HOUR)

    assert (length, MONDAY + HOUR) == (period.end - period.begin, period.end)


def test_a_schedule_without_two_moments_is_a_week() -> None:
    """A schedule that comes once in a century still shows a week."""
    plan = Plan(schedule="0 8 29 2 *", zone="UTC")

    assert until_now(audience(), plan, MONDAY).begin < MONDAY
