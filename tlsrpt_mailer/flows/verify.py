"""Verify a mail outside any transaction: get its keys, in three seconds at most, and judge."""

import time
from collections.abc import Callable, Collection
from typing import Protocol

import msgspec

from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.trust.message import message
from tlsrpt_mailer.trust.model import KeyAnswer, Verdict
from tlsrpt_mailer.trust.results import said_instead, vouched
from tlsrpt_mailer.trust.verify import KEY_KEPT, read_signatures, verdict

SECONDS = 3.0
"""How long one mail waits for DNS; then it is pending."""
_REFUSED = ("unsigned", "third-party", "fail")


class Lookup(Protocol):
    """Who asks DNS."""

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        """What stands at *name*, asked for *within* seconds at most. Never raises."""


class KeptKeys(Protocol):
    """Keys that were in DNS once."""

    def kept(self, name: str) -> KeyAnswer | None:
        """The key as it was seen last, with `last_seen`; None if it never was."""

    def seen(self, name: str, texts: tuple[bytes, ...], now: Time) -> None:
        """It is in DNS at *now*, and its domain has signed a mail."""


class Settings(msgspec.Struct, frozen=True):
    """What verifying needs beside the mail."""

    lookup: Lookup
    keys: KeptKeys
    organisational: Callable[[str], str | None]
    authserv_ids: Collection[str] = ()
    """Whose Authentication-Results are believed, in lower case."""
    seconds: float = SECONDS
    clock: Callable[[], float] = time.monotonic


def verify(
    raw: bytes,
    taken_at: Time,
    now: Time,
    settings: Settings,
    *,
    forwarded: bool = False,
    within: float = SECONDS,
) -> Verdict:
    """
    Whether the reporting domain signed this mail.

    Args:
        raw: The mail; of a forwarded one, the bytes of the mail within.
        taken_at: When it was taken.
        now: For the keys that are kept.
        settings: Whom to ask.
        forwarded: It lay within another: what it says of other MTAs' findings is not believed.
        within: The most seconds to wait for DNS.

    """
    believes = bool(settings.authserv_ids) and not forwarded
    if believes and (found := _vouched(raw, settings)):
        return found
    signed = read_signatures(raw, taken_at, settings.organisational)
    until = settings.clock() + min(within, settings.seconds)
    keys = {name: _key(name, until, now, settings) for name in signed.wanted}
    said = verdict(signed, keys, now)
    if said.word == "pass":
        for name, answer in keys.items():
            is_new = answer.kind == "found" and answer.last_seen is None
            if is_new and name.endswith(f"._domainkey.{said.domain}"):
                settings.keys.seen(name, answer.texts, now)
    if believes and signed.mail is not None and said.word in _REFUSED:
        # Whoever named an MTA asks first what that has said.
        instead = said_instead(signed.mail, settings.authserv_ids)
        return msgspec.structs.replace(said, reason=f"{said.reason}; {instead}")
    return said


def _vouched(raw: bytes, settings: Settings) -> Verdict | None:
    try:
        mail = message(raw)
    except BadReport:
        return None
    return vouched(mail, settings.authserv_ids, settings.organisational)


def _key(name: str, until: float, now: Time, settings: Settings) -> KeyAnswer:
    """What DNS says, else the key as it was kept."""
    answer = settings.lookup.txt(name, until - settings.clock())
    if answer.kind == "found":
        return answer
    kept = settings.keys.kept(name)
    if kept is None or (answer.kind == "trouble" and _is_stale(kept, now)):
        return answer
    return kept


def _is_stale(kept: KeyAnswer, now: Time) -> bool:
    """Whether DNS may well know better, once it answers."""
    return kept.last_seen is None or now - kept.last_seen > KEY_KEPT
