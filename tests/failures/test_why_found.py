"""How `failures show ID --why` tells the story of a finding."""

import msgspec

from tests.failures.builders import on
from tests.failures.test_probed import MX, spell
from tlsrpt_mailer.failures.findings import UNSEEN, identity_of
from tlsrpt_mailer.failures.model import HumanAct, Spell
from tlsrpt_mailer.failures.story import Step
from tlsrpt_mailer.failures.telling import Mailed
from tlsrpt_mailer.failures.why_found import explain_finding

GONE = identity_of("example.com", "tlsrpt-gone", None)


def gone(**more: object) -> Spell:
    fields = {"severity": "warning", "clean_at": on(0), "first_at": on(1), "last_at": on(1, 2)}
    return spell("tlsrpt-gone", None, **(fields | more))


def told(spells: list[Spell], *acts: HumanAct, now: float = 5, mails: tuple[Mailed, ...] = ()):
    return explain_finding(spells, acts, GONE, on(now), mails)


def lines(steps: list[Step]) -> list[tuple[int, str, str]]:
    return [(step.at, step.kind, step.why) for step in steps]


def test_the_whole_story_of_a_finding() -> None:
    """Found, told, answered, found again and again, over, and back."""
    first = gone(looks=9, last_at=on(1, 8), ended_at=on(1, 9))
    second = gone(clean_at=on(3), first_at=on(4), last_at=on(4), looks=1)
    other = spell("mx-no-starttls", MX)
    mail = Mailed(on(1, 0.5), "ana@example.com", "new")
    ack = HumanAct("ack", on(1, 1), "ana@example.com", note="on it")

    steps = told([second, other, first], ack, mails=(mail,))

    assert [
        (on(1), "first seen", "the look of 2026-10-01T00:00:00Z did not find it"),
        (on(1, 0.5), "told", ""),
        (on(1, 1), "acknowledged", "on it"),
        (on(1, 8), "seen", "by 9 looks, this the last of them"),
        (on(1, 9), "resolved", "a look did not find it any more"),
        (on(4), "regressed", "the look of 2026-10-04T00:00:00Z did not find it"),
        (on(4), "seen", "told once a second look finds it as well"),
    ] == lines(steps)
    assert [mail] == [step.mail for step in steps if step.mail]
    assert [ack] == [step.act for step in steps if step.act]


def test_the_same_trouble_at_another_host_is_another_story() -> None:
    """Each MX host has its own."""
    here, there = spell("mx-no-starttls", MX), spell("mx-no-starttls", "mx2.example.com")
    identity = identity_of("example.com", "mx-no-starttls", MX)

    assert explain_finding([here], (), identity, on(5)) == explain_finding(
        [here, there], (), identity, on(5)
    )


def test_a_mail_stands_behind_what_it_tells() -> None:
    """What is found, said and mailed within a second is told in that order; "now" is in it."""
    ack = HumanAct("ack", on(1), "ana@example.com")
    steps = told([gone(looks=1, last_at=on(1))], ack, now=1, mails=(Mailed(on(1), "a@b", "new"),))

    assert ["first seen", "seen", "acknowledged", "told"] == [step.kind for step in steps]


def test_what_a_first_look_finds_has_no_before() -> None:
    """Nobody knows how long it had been there."""
    assert (on(1), "first seen", "no look before it could see it") == lines(
        told([gone(clean_at=None)])
    )[0]


def test_when_it_became_critical_is_a_step() -> None:
    """A policy that went to enforce meanwhile; what began critical has no such step."""
    turned = told([gone(critical_at=on(1, 1), looks=3)])
    began = told([gone(critical_at=on(1), looks=3)])

    assert (on(1, 1), "seen", "critical from here on: it refuses mail") in lines(turned)
    assert ["first seen", "seen"] == [step.kind for step in began]


def test_what_nobody_looks_at_any_more_is_stale() -> None:
    """And time that has not come is not told."""
    one = msgspec.structs.replace(gone(), last_at=on(1, 2))

    assert "stale" not in [step.kind for step in told([one], now=2)]
    assert (one.last_at + UNSEEN, "stale", "nobody has looked since") == lines(told([one], now=40))[
        -1
    ]
    assert [] == told([one], now=0.5)
