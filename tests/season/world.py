"""
The people, domains and mail servers of the season, and the reporters that watch them.

Tenants (alpha, beta ...) have ten domains each, alike in every tenant, so that
``alpha-03.example`` and ``delta-03.example`` differ in nothing but their owner.
"""

import json
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec

from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

START: Time = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
"""A Monday."""

PLATFORM = ("mx1.mail.example.net", "mx2.mail.example.net")
"""Shared by all tenants, and run by a team of its own: an ``[[mx]]`` block."""
HOSTING = ("mx.hosting.example.org",)
"""Shared by all tenants; nobody is named for it."""
PAIR = ("mx.pair.example.com",)
"""Shared by two tenants; nobody is named for it."""

DEFAULT = "postmaster@example.net"
OPERATOR = "root@mail.example.net"
TEAM = "platform@example.net"
WEB = "web@gamma.example"
ANSWERS = "tlsrpt@mail.example.net"
BOSS = "head-of-mail@example.net"

_NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")


class Domain(msgspec.Struct, frozen=True):
    """One policy domain."""

    name: str
    owner: str
    mode: str
    """enforce, testing, none (no policy at all) or dane."""
    mx: tuple[str, ...]
    sessions: int
    """That Google makes on a working day."""

    @property
    def policy_type(self) -> str:
        """Under which reports speak of it."""
        return {"none": "no-policy-found", "dane": "tlsa"}.get(self.mode, "sts")


class Reporter(msgspec.Struct, frozen=True, kw_only=True):
    """Who reports, on what, and with which habits."""

    name: str
    organization: str
    factor: float
    """Sessions, as a share of what Google makes."""
    delay: tuple[Span, Span]
    """From the end of the window to the mail: at least, at most."""
    places: tuple[int, ...] = tuple(range(1, 11))
    """On which of each tenant's ten domains."""
    misses: float = 0.0
    """The share of days on which it sends nothing."""
    weekly: bool = False
    """One report on seven days and all its domains."""
    revises: float = 0.0
    """The share of reports of which a second, fuller version comes some hours later."""
    dane: bool = False
    """Whether it looks at TLSA records; others take such a domain for one without a policy."""


GOOGLE, MICROSOFT, MAIL_RU, UNI, WEEKLY, LATE = REPORTERS = (
    Reporter(name="google.com", organization="Google Inc.", factor=1, delay=(9 * HOUR, 15 * HOUR)),
    Reporter(
        name="microsoft.com",
        organization="Microsoft Corporation",
        factor=0.25,
        delay=(24 * HOUR, 48 * HOUR),
        places=(1, 2, 3, 4, 6, 8, 9, 10),
        revises=0.03,
        dane=True,
    ),
    Reporter(
        name="mail.ru",
        organization="Mail.ru",
        factor=0.12,
        delay=(9 * HOUR, 11 * HOUR),
        places=(1, 3, 6, 8),
    ),
    Reporter(
        name="uni.example",
        organization="University",
        factor=0.06,
        delay=(3 * HOUR, 8 * HOUR),
        places=(1, 4, 6, 9),
        misses=0.2,
        dane=True,
    ),
    Reporter(
        name="weekly.example",
        organization="Weekly Ltd",
        factor=0.05,
        delay=(5 * HOUR, 7 * HOUR),
        places=(1, 2, 7),
        weekly=True,
    ),
    Reporter(
        name="late.example",
        organization="Late Mail",
        factor=0.08,
        delay=(4 * HOUR, 72 * HOUR),
        places=(1, 4, 8, 9),
        dane=True,
    ),
)
LIAR = "liar.example"


class World(msgspec.Struct, frozen=True):
    """All of it."""

    owners: tuple[str, ...]
    domains: tuple[Domain, ...]
    days: int

    @property
    def end(self) -> Time:
        """The end of the last day."""
        return START + self.days * DAY

    def named(self, name: str) -> Domain:
        """The domain of this name."""
        return next(one for one in self.domains if one.name == name)

    def at(self, mx: str) -> tuple[str, ...]:
        """The domains that have this MX."""
        return tuple(one.name for one in self.domains if mx in one.mx)


def world(owners: int = 6, days: int = 120) -> World:
    """Ten domains an owner."""
    names = [
        name if turn == 0 else f"{name}{turn + 1}"
        for turn in range(1 + owners // len(_NAMES))
        for name in _NAMES
    ][:owners]
    domains = [domain for owner in names for domain in _domains(owner)]
    return World(tuple(names), tuple(domains), days)


def address(owner: str) -> str:
    """Whom to write to about the domains of *owner*."""
    return f"tls@{owner}.example"


def _domains(owner: str) -> list[Domain]:
    numbered = count(1)

    def one(mode: str, sessions: int, mx: tuple[str, ...] = (), own: int = 1) -> Domain:
        name = f"{owner}-{next(numbered):02}.example"
        hosts = mx or tuple(f"mx{number}.{name}" for number in range(1, own + 1))
        return Domain(name, owner, mode, hosts, sessions)

    return [
        one("enforce", 4000, PLATFORM),
        one("enforce", 900, PLATFORM),
        one("testing", 600, PLATFORM),
        one("enforce", 1500, PLATFORM),
        one("none", 500, PLATFORM),
        one("enforce", 700, HOSTING),
        one("testing", 800, HOSTING),
        one("enforce", 5000, PAIR if owner in _NAMES[:2] else ()),
        one("dane", 1200, own=2),
        one("enforce", 300, own=2),
    ]


def config_text(world: World, folder: Path, port: int) -> str:
    """The configuration under which the season is mailed; *port* is the relay's."""
    blocks = [_team("platform", [TEAM], [BOSS]), _team("web", [WEB])]
    blocks += [_team(owner, [address(owner)]) for owner in world.owners]
    blocks += [_domains_block(world, "gamma", [10], 'policy_host_owners = ["web"]\n')]
    blocks += [_domains_block(world, owner, list(range(1, 11))) for owner in world.owners]
    return f"""
[storage]
path = {_quoted(folder / "tlsrpt.db")}
[trust]
dkim = "off"
[checks]
schedule = "off"
[[source]]
kind = "maildir"
path = {_quoted(folder / "mail")}
[alerts]
from = "tlsrpt-mailer@mail.example.net"
to = ["{DEFAULT}"]
operator = ["{OPERATOR}"]
reply_to = "{ANSWERS}"
at = "08:00"
timezone = "Europe/Berlin"
[alerts.smtp]
host = "127.0.0.1"
port = {port}
[log]
level = "warning"
format = "console"
[[mx]]
match = ["*.mail.example.net"]
owners = ["platform"]
{"".join(blocks)}"""


def _quoted(path: Path) -> str:
    return json.dumps(str(path))


def _team(name: str, addresses: list[str], escalate_to: list[str] | None = None) -> str:
    more = f"escalate_to = {json.dumps(escalate_to)}\n" if escalate_to else ""
    return f'[[owner]]\nname = "{name}"\naddresses = {json.dumps(addresses)}\n{more}'


def _domains_block(world: World, owner: str, places: list[int], more: str = "") -> str:
    names = [f"{owner}-{place:02}.example" for place in places]
    return f'[[domains]]\nmatch = {json.dumps(names)}\nowners = ["{owner}"]\n{more}'
