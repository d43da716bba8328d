"""The steps of a failure's story (`failures.why`), and what clean windows do to it."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.failures.incidents import Standing
from tlsrpt_mailer.failures.model import Act, HumanAct, Quiet, Window
from tlsrpt_mailer.failures.telling import Limits, Mailed
from tlsrpt_mailer.failures.timeline import Track
from tlsrpt_mailer.failures.windows import successes
from tlsrpt_mailer.failures.witnesses import CLEAN, Voice, clean_needed, clean_places
from tlsrpt_mailer.report.times import Time

StepKind: TypeAlias = Literal[
    "first seen",
    "seen",
    "regressed",
    "clean",
    "acquitted",
    "nothing",
    "resolved",
    "stale",
    "closed",
    "acknowledged",
    "said fixed",
    "muted",
    "assigned",
    "reopened",
    "told",
]


SAID: Mapping[Act, StepKind] = {
    "ack": "acknowledged",
    "fixed": "said fixed",
    "mute": "muted",
    "assign": "assigned",
    "reopen": "reopened",
}
"""What a story calls the things that people say."""


class Step(msgspec.Struct, frozen=True):
    """One thing that happened to a failure, or that a window did to it."""

    at: Time
    """Of a window: when its mail was taken; else the moment itself."""
    kind: StepKind
    why: str
    """A plain reason, one line; "" where there is nothing to add."""
    window: Window | None = None
    """With its reporter, report number and range; None for acts and for what time did."""
    failed: int | None = None
    """Failed sessions of this failure in the window."""
    sessions: int | None = None
    """Sessions of its policy type in the window, else the successes of another type."""
    clean: int | None = None
    """Which clean window in a row it is, of *needed* that acquit its reporter."""
    needed: int | None = None
    act: HumanAct | None = None
    overlap: bool = False
    """Whether it is a window that counts for nothing, since another one overlaps it."""
    untold: str = ""
    """Why a failing window was no reason for a mail; "" where it was, or where time will tell."""
    mail: Mailed | None = None
    """Of ``told``: which mail; *why* says why it was sent."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What `explain` is told beside windows and acts."""

    mails: tuple[Mailed, ...] = ()
    """That named the failure."""
    limits: Limits = Limits()
    quiet: tuple[Quiet, ...] = ()
    """Planned maintenance of the domain."""
    mx: str | None = None
    """The MX of its cause, where it has none itself."""


def nothing(window: Window, why: str) -> Step:
    """A window that did nothing to the failure."""
    return Step(window.received, "nothing", why, window)


def clean(window: Window, voice: Voice, track: Track) -> Step:
    """A window without it, of a reporter that has seen it."""
    places = list(clean_places(voice.last, track))
    line = voice.line
    count = 1 + next((n for n, place in enumerate(places) if line.windows[place] is window), -1)
    if not count:
        return nothing(window, "a later window of this reporter fails")
    if voice.acquitted_at is not None and voice.acquitted_at < window.end:
        return nothing(window, "this reporter has acquitted already")
    needed = clean_needed(voice, track)
    why = "" if needed == CLEAN else "few sessions failed, so more clean ones are needed"
    sessions = total(window, track.hits[0].row.policy_type) or successes(window)
    kind: StepKind = "acquitted" if voice.acquitted_at == window.end else "clean"
    return Step(window.received, kind, why, window, 0, sessions, count, needed)


def total(window: Window, policy_type: str) -> int:
    """All sessions of one policy type in a window."""
    return sum(
        counts.successful + counts.failed
        for counts in window.sessions
        if counts.policy_type == policy_type
    )


def who_acquitted(standing: Standing) -> str:
    """Why it is over."""
    names = sorted(voice.line.reporter for voice in standing.say if voice.acquitted_at is not None)
    silent = len(standing.say) - len(names)
    text = "acquitted by " + ", ".join(names)
    return text if not silent else f"{text}; {silent} more have no say any longer"
