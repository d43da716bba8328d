"""
What each result type and reason class means, does and needs: the data of ``catalogue/``.

The files are read once, when first asked for. Texts hold ``{domain}``, ``{mx}`` and ``{ip}``
where a name belongs (`alerts.commands` puts them in).
"""

import functools
import importlib.resources
import tomllib
from typing import Any, Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.result_types import RESULT_TYPES

Effect: TypeAlias = Literal["enforce", "testing", "sts", "dane", "none"]
"""A row of the effect on mail; ``sts`` stands where the mode makes no difference."""

UNKNOWN_FAMILY = "unknown"


class Check(msgspec.Struct, frozen=True):
    """A command that shows how it is now."""

    command: tuple[str, ...]
    """The parts between which a long line may be broken."""
    note: str = ""
    broken: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One result type (RFC 8460, 4.3, and the IANA registry)."""

    type: str
    place: str
    """What joins `short` and the MX: on, at, by; empty where no MX is concerned."""
    title: str
    because: str
    causes: tuple[str, ...]
    mend: tuple[str, ...]
    effect: dict[Effect, str]
    check: tuple[Check, ...]
    brief: str
    """The mend in a line, for lists."""
    lasting: str = ""
    """What keeps it from coming back."""
    counted: str = "sessions failed"
    worth: str = ""
    family: str = UNKNOWN_FAMILY
    short: str = ""
    """For subjects and lists: ``certificate expired`` (report.result_types)."""
    alone: str = ""
    """What it tells that one reporter alone sees it."""
    again: str = ""
    """Why it mostly comes back."""

    @property
    def is_known(self) -> bool:
        """Whether the type stands in the registry."""
        return self.family != UNKNOWN_FAMILY

    @property
    def is_about_policy(self) -> bool:
        """Whether mail flows and only the protection of MTA-STS is lost."""
        return self.family == "MTA-STS"


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reason class: what a sender's own words come down to."""

    says: str
    short: str = ""
    because: str = ""


UNSPECIFIED = "unspecified"
"""The result type of failed sessions for which a report gives no details at all."""


def entry(result_type: str) -> Entry:
    """What is known of *result_type*; of an unknown one, what the policy alone tells."""
    name = result_type.lower()
    if name == UNSPECIFIED:
        return _unspecified()
    return _entries().get(name) or _unknown(result_type)


def known_types() -> tuple[str, ...]:
    """The result types of the registry, in the order of RFC 8460."""
    return tuple(RESULT_TYPES)


def reason(reason_class: str) -> Reason | None:
    """What an alert says of a reason class; None for a class that nobody defined."""
    return _reasons().get(reason_class)


@functools.cache
def _entries() -> dict[str, Entry]:
    return {
        known.name: msgspec.convert(
            {**read(f"{known.name}.toml"), "family": known.family, "short": known.short}, Entry
        )
        for known in RESULT_TYPES.values()
    }


@functools.cache
def _reasons() -> dict[str, Reason]:
    return msgspec.convert(read("reasons.toml"), dict[str, Reason])


def read(name: str) -> dict[str, Any]:
    """One file of ``catalogue/``."""
    # Any: what a TOML file holds is known only once msgspec has converted it.
    file = importlib.resources.files("tlsrpt_mailer.alerts") / "catalogue" / name
    return tomllib.loads(file.read_text("utf-8"))


def _unspecified() -> Entry:
    """Our own word, for sessions that a report counts as failed without a row about them."""
    general = _entries()["validation-failure"]
    return Entry(
        type=UNSPECIFIED,
        family="no details",
        short="TLS failed, no details given",
        place="at",
        title="The report counts failed sessions, but gives no details about them.",
        because="The report does not say why",
        causes=(
            "The reporter leaves failure-details out, always or on that day.",
            "Everything that is a validation-failure in the reports of others.",
        ),
        mend=general.mend,
        brief=general.brief,
        effect=general.effect,
        check=general.check,
    )


def _unknown(result_type: str) -> Entry:
    """An unknown type is judged by the policy alone, and checked as a general failure is."""
    general = _entries()["validation-failure"]
    return Entry(
        type=result_type,
        place="at",
        title="This program does not know that result type. It is kept, and counts as failed.",
        because="The reason has a name that this program does not know",
        causes=("The name may say it. Whoever sent the report knows what it stands for.",),
        mend=(
            "Read what the reporter itself says: tlsrpt-mailer reports show.",
            "Do the check above: it finds most of what can be wrong with TLS.",
            "A newer tlsrpt-mailer may know the type.",
        ),
        brief="read what the reporter says (tlsrpt-mailer reports show), and check TLS",
        effect=general.effect,
        check=general.check,
    )
