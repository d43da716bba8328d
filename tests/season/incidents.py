"""
What goes wrong in the season, and what a right program says of it.

Each incident names its truth: what fails, where, from when to when, who sees it,
and who has to be told. When the news of it could first be known follows from
the mails (`tests.season.truth`), not from anything the program computes.
"""

import msgspec

from tests.season.world import (
    DEFAULT,
    HOSTING,
    LATE,
    MICROSOFT,
    PAIR,
    PLATFORM,
    START,
    TEAM,
    WEB,
    World,
    address,
)
from tlsrpt_mailer.report.times import DAY, HOUR, Time


class Answer(msgspec.Struct, frozen=True):
    """What a recipient answers, and how long after the first mail."""

    kind: str
    after: Time


class Planned(msgspec.Struct, frozen=True):
    """Maintenance that was entered before it began."""

    kind: str
    name: str
    start: Time
    end: Time


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is broken for a while."""

    name: str
    result: str
    mx: str | None
    domains: tuple[str, ...]
    begin: Time
    end: Time
    shares: tuple[float, ...]
    """Of the sessions, day by day; the last one holds on."""
    to: tuple[str, ...] = ()
    """Who is to be told; empty: the owner of each domain."""
    seen_by: tuple[str, ...] = ()
    """Empty: everybody who reports on the domain."""
    answer: Answer | None = None
    planned: Planned | None = None
    is_told: bool = True
    """Whether anybody is mailed at all."""
    ends: bool = True
    """Whether reports ever show its end."""
    worsens: bool = False
    crowd: bool = False
    """Whether it touches more owners than are each told; the first few may be told as well."""
    events: tuple[str, str] = ("new", "resolved")
    """What the first and the last mail about it say."""

    def share(self, at: Time, until: Time) -> float:
        """Of the sessions between the two moments, how many fail."""
        total = 0.0
        for day, begin in enumerate(range(self.begin - self.begin % DAY, self.end, DAY)):
            overlap = min(until, self.end, begin + DAY) - max(at, self.begin, begin)
            if overlap > 0:
                total += overlap * self.shares[min(day, len(self.shares) - 1)]
        return total / (until - at)

    def recipients(self, world: World, domain: str) -> tuple[str, ...]:
        """Who has to be told that it touches *domain*."""
        return self.to or (address(world.named(domain).owner),)


def day(number: int, hours: int = 0) -> Time:
    """The moment *hours* into the day of that number; the first day is 0."""
    return START + number * DAY + hours * HOUR


INTAKE_OFF = (day(92, 9), day(99, 9))
"""For this week no mail arrives; then all that waited does."""
STOPS = (LATE.name, day(84))
"""From then on this reporter sends nothing any more."""
LIES = (day(29), day(39))


def incidents(world: World) -> list[Incident]:
    """Everything that breaks, in order; one season is 120 days, and longer ones repeat it."""
    return [
        Incident(
            name="expired certificate, shared MX of a team",
            result="certificate-expired",
            mx=PLATFORM[0],
            domains=world.at(PLATFORM[0]),
            begin=day(14, 6),
            end=day(17, 10),
            shares=(0.4,),
            to=(TEAM,),
            answer=Answer("ack", 3 * HOUR),
        ),
        Incident(
            name="failure of 0.5 %",
            result="certificate-not-trusted",
            mx="mx1.zeta-08.example",
            domains=("zeta-08.example",),
            begin=day(20),
            end=day(60),
            shares=(0.005,),
            worsens=True,
        ),
        Incident(
            name="expired certificate, MX of six tenants",
            result="certificate-expired",
            mx=HOSTING[0],
            domains=world.at(HOSTING[0]),
            begin=day(25, 3),
            end=day(27, 12),
            shares=(0.9,),
            to=(DEFAULT,),
            crowd=True,
        ),
        Incident(
            name="wrong certificate, MX of two tenants",
            result="certificate-host-mismatch",
            mx=PAIR[0],
            domains=world.at(PAIR[0]),
            begin=day(33, 2),
            end=day(36, 8),
            shares=(0.95,),
        ),
        Incident(
            name="policy host down",
            result="sts-policy-fetch-error",
            mx=None,
            domains=("gamma-10.example",),
            begin=day(40),
            end=day(44),
            shares=(1.0,),
            to=(WEB,),
            seen_by=(MICROSOFT.name,),
        ),
        Incident(
            name="TLSA roll gone wrong",
            result="tlsa-invalid",
            mx="mx2.delta-09.example",
            domains=("delta-09.example",),
            begin=day(48, 4),
            end=day(53),
            shares=(0.35, 0.35, 0.62),
            worsens=True,
        ),
        Incident(
            name='said "fixed", and was not',
            result="certificate-expired",
            mx="mx1.alpha-10.example",
            domains=("alpha-10.example",),
            begin=day(54, 3),
            end=day(60, 6),
            shares=(0.45,),
            answer=Answer("fixed", 6 * HOUR),
        ),
        Incident(
            name="failing in planned maintenance",
            result="starttls-not-supported",
            mx=PLATFORM[1],
            domains=world.at(PLATFORM[1]),
            begin=day(62, 20),
            end=day(63, 3),
            shares=(0.5,),
            planned=Planned("mx", PLATFORM[1], day(62, 18), day(63, 6)),
            is_told=False,
        ),
        Incident(
            name="maintenance that left something broken",
            result="certificate-not-trusted",
            mx="mx1.delta-10.example",
            domains=("delta-10.example",),
            begin=day(66, 2),
            end=day(70),
            shares=(0.5,),
            planned=Planned("domain", "delta-10.example", day(66), day(67)),
        ),
        Incident(
            name="the same shared MX, expired again",
            result="certificate-expired",
            mx=PLATFORM[0],
            domains=world.at(PLATFORM[0]),
            begin=day(75, 5),
            end=day(77, 9),
            shares=(0.4,),
            to=(TEAM,),
            events=("regressed", "resolved"),
        ),
        Incident(
            name="seen only by a reporter that stops",
            result="starttls-not-supported",
            mx="mx1.beta-09.example",
            domains=("beta-09.example",),
            begin=day(80),
            end=day(90),
            shares=(0.3,),
            seen_by=(LATE.name,),
            ends=False,
        ),
        Incident(
            name="began and ended while the intake was off",
            result="certificate-expired",
            mx="mx1.gamma-08.example",
            domains=("gamma-08.example",),
            begin=day(93, 2),
            end=day(94, 12),
            shares=(0.8,),
            is_told=False,
        ),
        Incident(
            name="began while the intake was off",
            result="certificate-not-trusted",
            mx="mx1.epsilon-08.example",
            domains=("epsilon-08.example",),
            begin=day(96, 3),
            end=day(102, 6),
            shares=(0.7,),
        ),
    ]
