"""From stored reports to frozen mails: owners, answers, reminders, escalation and channels."""

import itertools
from email import message_from_bytes, policy

import msgspec

from tests.flows.test_compose import ANA, KIM, audience, take_day
from tests.flows.world import NOW, STANDING, World
from tests.mails import detail, mail, report
from tests.store.build import verdict_of
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock, MxBlock, Owner
from tlsrpt_mailer.alerts.model import cause_key
from tlsrpt_mailer.alerts.route import ChannelRule
from tlsrpt_mailer.flows import compose as flow
from tlsrpt_mailer.flows.acting import Saying, act, plan_maintenance
from tlsrpt_mailer.flows.compose import Audience, compose
from tlsrpt_mailer.flows.review import review
from tlsrpt_mailer.ports import Letter, Maintenance, Notice
from tlsrpt_mailer.report.times import DAY, HOUR

BOSS, ROOT = "boss@example.org", "root@example.org"
DEFAULT = Owner(name="alerts.to", addresses=(ROOT,), is_default=True)
SHOP = Owner(name="shop", addresses=(ANA,), escalate_to=(BOSS,))
MAIL = Owner(name="mailers", addresses=(KIM,))
BLOCK = DomainBlock(match=("example.com", "*.example.com"), owners=(SHOP,), group="retail")


def people(*mx: MxBlock, **more: object) -> Audience:
    who = Directory(DEFAULT, (SHOP, MAIL), (BLOCK,), mx)
    return msgspec.structs.replace(audience(), directory=who, **more)


def tell(world: World, who: Audience) -> list[tuple[str, str]]:
    return [(one.recipient, one.event) for one in compose(world.store, who, world.now)]


def say(world: World, kind: str, number: int = 1, **more: object) -> None:
    saying = Saying(kind=kind, who=ANA, way="command", **more)  # type: ignore[arg-type]
    with world.store.write() as txn:
        act(txn, saying, [number], STANDING, world.now)


def at_eight(world: World, day: int) -> None:
    """A minute after 08:00 on *day* October; the world's days begin at noon."""
    world.now = NOW + (day - 13) * DAY - 4 * HOUR + 60


def text_of(letter: Letter) -> str:
    part = message_from_bytes(letter.raw, policy=policy.default).get_body(("plain",))
    return " ".join(part.get_content().split())


def test_an_empty_store_tells_nothing(world: World) -> None:
    """The first tick of a new installation, too, has somebody to look for."""
    assert [] == tell(world, people())


def test_the_mail_goes_to_whoever_can_mend_it(world: World) -> None:
    """Who runs the MX hears of its certificate; the domain's owner of the policy."""
    run_by = MxBlock(match=("mx1.example.com",), owners=(MAIL,))
    fetch = detail("sts-policy-fetch-error", None)
    world.take(mail(report(details=(detail(),))), mail(report("a.example.com", details=(fetch,))))
    world.take(mail(report("else.example", mx=("mx.else.example",), details=(detail(mx=None),))))

    letters = compose(world.store, people(run_by), world.now)

    assert {
        KIM: "CRITICAL example.com: certificate expired on mx1.example.com [tlsrpt 1]",
        ANA: "WARNING a.example.com: MTA-STS policy cannot be fetched [tlsrpt 2]",
        ROOT: "CRITICAL else.example: certificate expired on mx.else.example [tlsrpt 3]",
    } == {letter.recipient: letter.subject for letter in letters}


def test_each_mail_takes_answers_by_a_token_of_its_own(world: World) -> None:
    """The address that answers go to names the mail that is answered."""
    numbers = itertools.count(1)
    who = people(
        MxBlock(match=("*.example.com",), owners=(MAIL,), tell_domain_owners="alert"),
        reply_to="tlsrpt@example.com",
        new_token=lambda: f"t{next(numbers)}",
    )
    take_day(world, 13, failing=True)

    letters = compose(world.store, who, world.now)

    assert [(ANA, "t1"), (KIM, "t2")] == [(one.recipient, one.token) for one in letters]
    for letter in letters:
        found = message_from_bytes(letter.raw, policy=policy.default)
        assert f"tlsrpt+ack-{letter.token}@example.com" in found["Reply-To"]


def test_no_address_is_printed_where_nobody_takes_answers(world: World) -> None:
    """Without reply_to there is no Reply-To and no token."""
    take_day(world, 13, failing=True)

    (letter,) = compose(world.store, people(new_token=lambda: "t"), world.now)

    assert letter.token is None
    assert "Reply-To" not in message_from_bytes(letter.raw)


def test_what_nobody_answers_is_reminded_of_and_escalated(world: World) -> None:
    """Tomorrow the owner again, after two days the head; the end is told to both, once."""
    who = people()
    take_day(world, 13, failing=True)
    first = tell(world, who)
    at_eight(world, 14)
    second = tell(world, who) + tell(world, who)
    world.now = NOW + 2 * DAY
    third = tell(world, who)
    for day in (14, 15):
        take_day(world, day, failing=False)
    world.now = NOW + 2 * DAY + HOUR

    last = tell(world, who)

    assert [(ANA, "new")] == first
    assert [(ANA, "reminder")] == second
    assert [(BOSS, "new")] == third
    assert [(ANA, "resolved"), (BOSS, "resolved")] == last


def test_a_reminder_names_what_it_is_about_without_telling_it_anew(world: World) -> None:
    """An answer to it is about these failures; the record of what was told stays as it was."""
    who = people()
    take_day(world, 13, failing=True)
    compose(world.store, who, world.now)
    at_eight(world, 14)

    (letter,) = compose(world.store, who, world.now)

    assert ("reminder", (1,), ()) == (letter.event, letter.failures, letter.told)
    told = "SELECT event, mails, reminded_at FROM told"
    assert [("new", 2, world.now)] == world.rows(told)
    named = "SELECT event FROM letter_failures ORDER BY letter_id"
    assert [("new",), ("reminder",)] == world.rows(named)


def test_an_answer_ends_reminders_and_escalation(world: World) -> None:
    """Whoever says "ack" is left alone until it gets worse or is over."""
    who = people()
    take_day(world, 13, failing=True)
    tell(world, who)
    say(world, "ack")
    told = []
    for day in (14, 15, 16, 21):
        at_eight(world, day)
        told += tell(world, who)

    assert [] == told


def test_whoever_it_is_assigned_to_is_told_and_reminded(world: World) -> None:
    """The owner is not reminded any more; the one who has it now is."""
    who = people()
    take_day(world, 13, failing=True)
    tell(world, who)
    say(world, "assign", assignee=KIM)
    given = tell(world, who)
    at_eight(world, 14)
    early = tell(world, who)
    at_eight(world, 15)

    assert [(KIM, "new")] == given
    assert [(KIM, "reminder")] == early + tell(world, who)


def test_no_reminder_where_a_digest_is_being_made(world: World) -> None:
    """Both are due on Monday at 08:00, and the digest says it all."""
    who = people(schedule="daily")
    take_day(world, 13, failing=True)
    tell(world, who)
    at_eight(world, 14)
    in_front = tell(world, who)
    world.now += HOUR

    assert [] == in_front
    assert [(ANA, "reminder")] == tell(world, who)


def test_what_got_worse_is_told_in_the_old_thread(world: World) -> None:
    """From a fifth to nearly all: the mail says WORSE, and why."""
    who = people()
    world.take(mail(report(successful=95, details=(detail(failed=5),))))
    compose(world.store, who, world.now)
    world.now += DAY
    world.take(mail(report(day="2026-10-14", successful=5, details=(detail(failed=95),))))

    (letter,) = [one for one in compose(world.store, who, world.now) if one.event != "reminder"]

    assert "worsened" == letter.event
    assert letter.subject.startswith("WORSE")
    assert "50 %" in text_of(letter)


def test_said_fixed_and_failing_again_is_told_at_once(world: World) -> None:
    """A window that began after the mending fails: whoever believes it mended must know."""
    who = people()
    take_day(world, 13, failing=True)
    tell(world, who)
    say(world, "fixed")
    take_day(world, 14, failing=True)
    quiet = tell(world, who)
    take_day(world, 15, failing=True)

    assert [(ANA, "not-fixed")] == quiet + tell(world, who)


def test_after_a_maintenance_one_mail_says_what_still_fails(world: World) -> None:
    """Nothing is mailed of what failed in it; what goes on is one mail that names it."""
    begin = NOW - 12 * HOUR - 2 * DAY
    planned = Maintenance(0, "mx", "mx1.example.com", begin, begin + DAY, ANA, "new disks", NOW)
    with world.store.write() as txn:
        plan_maintenance(txn, planned, "command", STANDING)
    rules = (
        ChannelRule(name="planned", events=frozenset({"maintenance"})),
        ChannelRule(name="over", events=frozenset({"resolved"})),
    )
    who = people(channels=rules)
    world.take(mail(report(day="2026-10-12", details=(detail(),))))
    review(world.store, STANDING, world.now)
    quiet = tell(world, who)
    world.now += DAY
    world.take(mail(report(day="2026-10-13", details=(detail(),))))

    letter, notice = compose(world.store, who, world.now)

    assert [] == quiet
    assert "maintenance" == letter.event
    assert "mx1.example.com" in text_of(letter)
    assert ("channel:planned", "new") == (notice.recipient, notice.event)


# ----------------------------------------------------------------------- channels


def notices(letters: list[Letter], name: str = "hook") -> list[Notice]:
    mine = [letter for letter in letters if letter.recipient == f"channel:{name}"]
    return [msgspec.json.decode(letter.raw, type=Notice) for letter in mine]


def test_a_channel_is_handed_data_and_words(world: World) -> None:
    """One notice a cause, with a key that every event of it has."""
    who = people(channels=(ChannelRule(name="hook"),))
    take_day(world, 13, failing=True)
    letters = compose(world.store, who, world.now)
    (new,) = notices(letters)
    for day in (14, 15):
        take_day(world, day, failing=False)
    (end,) = notices(compose(world.store, who, world.now))

    assert ("new", True, "critical") == (new.event, new.is_open, new.severity)
    assert ("resolved", False, ()) == (end.event, end.is_open, end.open_failures)
    assert cause_key("certificate-expired", "mx1.example.com", None) == new.key == end.key
    assert "CRITICAL example.com: certificate expired on mx1.example.com" == new.title
    assert [("new", "example.com")] == [(one.event, one.policy_domain) for one in new.failures]
    assert [1] == [one.failure for one in new.open_failures]
    (letter,) = [one for one in letters if one.recipient == "channel:hook"]
    assert (new.key, None, new.id) == (letter.key, None, letter.message_id)
    assert "certificate" in new.text


def test_a_channel_hears_the_events_that_it_asked_for(world: World) -> None:
    """Asked for "resolved" alone, it is told of the end of what it never heard begin."""
    who = people(channels=(ChannelRule(name="hook", events=frozenset({"resolved"})),))
    take_day(world, 13, failing=True)
    first = notices(compose(world.store, who, world.now))
    for day in (14, 15):
        take_day(world, day, failing=False)

    last = notices(compose(world.store, who, world.now))

    assert ([], ["resolved"]) == (first, [one.event for one in last])


def test_channels_filter_by_severity_owner_and_group(world: World) -> None:
    """What does not pass is not told to them, whoever is mailed."""
    rules = (
        ChannelRule(name="bad", min_severity="critical"),
        ChannelRule(name="all", min_severity="notice"),
        ChannelRule(name="shop", owners=frozenset({"shop"}), groups=frozenset({"retail"})),
        ChannelRule(name="mailers", owners=frozenset({"mailers"})),
    )
    minor = report(
        "else.example",
        policy_type="no-policy-found",
        mx=("mx9.example",),
        details=(detail(mx="mx9.example"),),
    )
    world.take(mail(report(details=(detail(),))), mail(minor))

    letters = compose(world.store, people(channels=rules), world.now)

    assert [1, 2, 1, 0] == [len(notices(letters, rule.name)) for rule in rules]


def test_what_a_channel_that_is_gone_was_told_is_let_go(world: World) -> None:
    """Its failures leave the list once they are over, though nobody tells it so."""
    take_day(world, 13, failing=True)
    compose(world.store, people(channels=(ChannelRule(name="hook"),)), world.now)
    tell(world, people())
    for day in (14, 15):
        take_day(world, day, failing=False)
        told = tell(world, people())

    with world.store.compose() as txn:
        assert [] == txn.failures()
    assert (ANA, "resolved") in told
    assert ("channel:hook", "resolved") not in told


def test_a_bad_day_is_composed_in_pieces(world: World, monkeypatch: object) -> None:
    """Reports are stored between two hundred mails and the next; nothing is lost or told twice."""
    monkeypatch.setattr(flow, "MOST_AT_ONCE", 2)  # type: ignore[attr-defined]
    domains = [f"d{n}.example" for n in range(5)]
    owners = [Owner(name=name, addresses=(f"ops@{name}",)) for name in domains]
    blocks = [DomainBlock(match=(one.name,), owners=(one,)) for one in owners]
    who = people(channels=(ChannelRule(name="hook"),))
    who = msgspec.structs.replace(who, directory=Directory(DEFAULT, owners, blocks))
    for name in domains:
        world.take(mail(report(name, mx=(f"mx.{name}",), details=(detail(mx=f"mx.{name}"),))))

    letters = compose(world.store, who, world.now)

    assert [f"ops@{name}" for name in domains] == [one.recipient for one in letters][:5]
    assert 5 == len(notices(letters))
    assert [] == compose(world.store, who, world.now)


def test_the_mail_on_an_old_mailbox_says_how_much_was_read(world: World) -> None:
    """Of the recipient's own domains alone: others' reports and failures are not counted."""
    days = [f"2026-09-{day}" for day in range(20, 27)]
    for n, day in enumerate(days):
        mx = f"mx{n}.example.com"
        world.take(mail(report(f"d{n}.example.com", day, mx=(mx,), details=(detail(mx=mx),))))
    for day, failing in ((20, True), (21, False), (22, False)):
        details = (detail(mx="mx.example.com"),) if failing else ()
        world.take(mail(report("over.example.com", f"2026-09-{day}", details=details)))
        world.take(mail(report("else.example", f"2026-09-{day}", details=details)))
    review(world.store, STANDING, world.now)

    letters = compose(world.store, people(), world.now)

    (letter,) = [one for one in letters if one.recipient == ANA]
    assert "summary" == letter.event
    assert "10 reports of 1 reporter on 8 domains" in text_of(letter)
    assert "1 failure began and ended in that time" in text_of(letter)


def test_a_summary_is_written_though_all_that_was_read_is_pruned(world: World) -> None:
    """Then it says what is open, and nothing of what was read."""
    with world.store.write() as txn:
        txn.save_verdicts(
            [
                verdict_of(f"d{n}.example.com", mx=f"mx{n}.example.com", last_seen=NOW - 30 * DAY)
                for n in range(6)
            ],
            NOW,
        )

    (letter,) = compose(world.store, people(), world.now)

    assert "summary" == letter.event
    assert "were read" not in text_of(letter)


def test_a_relapse_says_who_mended_it_last_time(world: World) -> None:
    """The note of the last fix is the first place to look."""
    who = people()
    take_day(world, 13, failing=True)
    tell(world, who)
    say(world, "fixed", note="reloaded the mail server")
    for day in (14, 15):
        take_day(world, day, failing=False)
        tell(world, who)
    take_day(world, 20, failing=True)

    (letter,) = compose(world.store, who, world.now)

    assert "regressed" == letter.event
    assert "reloaded the mail server" in text_of(letter)


def test_what_is_said_after_a_relapse_is_not_said_of_the_time_before(world: World) -> None:
    """An ack of the present incident is no answer to the last one."""
    for day, failing in ((13, True), (14, False), (15, False), (20, True)):
        take_day(world, day, failing=failing)
    say(world, "ack", note="now")

    with world.store.compose() as txn:
        (record,) = txn.failures()

    assert record.verdict.answer is not None
    assert record.verdict.previous is not None
    assert record.verdict.previous.answer is None


def test_an_address_that_left_the_configuration_hears_the_end(world: World) -> None:
    """Whoever was told that it broke is told that it is over; the new owner hears of both."""
    take_day(world, 13, failing=True)
    tell(world, audience("gone@example.org"))
    begun = tell(world, people())
    for day in (14, 15):
        take_day(world, day, failing=False)

    ended = [one for one in tell(world, people()) if one[1] == "resolved"]

    assert [(ANA, "new")] == begun
    assert [(ANA, "resolved"), ("gone@example.org", "resolved")] == ended
