"""
Send ourselves a test report, the way that reporters go, and see whether it comes back.

So that "no report came" can be told from "no report can come". It is recognised
by what it speaks of (`domains.canary`) wherever it comes in, and counts nowhere.
"""

import secrets
from collections.abc import Callable, Collection

import msgspec
import structlog

from tlsrpt_mailer.domains.canary import Canary, mail
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.ports import Canaries, Mover, SentCanary
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time
from tlsrpt_mailer.trust.signing import new_key, sign

log = structlog.get_logger()

EVERY: dict[str, Span] = {"hourly": HOUR, "daily": DAY}
MOST = 20
"""Addresses that are tried."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What test reports are made of."""

    sender: str
    selector: str
    addresses: tuple[str, ...]
    key: Callable[[], bytes | None]
    """The key of the configuration; None where one is made. May raise ConfigError."""


def send(canaries: Canaries, move: Mover, settings: Settings, now: Time) -> list[SentCanary]:
    """
    Send one to each address; what the MX said stands in each.

    Raises:
        ConfigError: The key cannot be used.
        Temporary: The database cannot be written.
    """
    key = signing_key(canaries, settings)
    return [
        _send(canaries, move, settings, key, address, now) for address in settings.addresses[:MOST]
    ]


def send_due(
    canaries: Canaries, move: Mover, settings: Settings, every: Span, now: Time
) -> list[SentCanary]:
    """The same, to those to which none was sent for *every*."""
    last = canaries.last(settings.addresses)
    due = [
        address
        for address in settings.addresses
        if address not in last or not 0 <= now - last[address].sent_at < every
    ]
    if not due:
        return []
    return send(canaries, move, msgspec.structs.replace(settings, addresses=tuple(due)), now)


def signing_key(canaries: Canaries, settings: Settings) -> bytes:
    """The key of the configuration, or the one that is kept; made where there is none."""
    key = settings.key() or canaries.key()
    if key is None:
        key = new_key()
        canaries.save_key(key)
    return key


def _send(
    canaries: Canaries, move: Mover, settings: Settings, key: bytes, address: str, now: Time
) -> SentCanary:
    token = secrets.token_hex(16)
    raw = mail(Canary(token=token, sender=settings.sender, recipient=address, at=now))
    domain = settings.sender.rpartition("@")[2]
    try:
        raw = sign(raw, domain, settings.selector, key)
    except ValueError as error:
        raise ConfigError(f"canary.key_file: {error}") from error
    # Known before it is under way: it may be back before the MX has answered.
    sent = SentCanary(token=token, address=address, sent_at=now)
    canaries.save(sent)
    try:
        answer = move(raw, settings.sender, address)
    except (Temporary, Refused) as error:
        log.warning("canary.not_sent", address=address, error=str(error))
        answer = f"not sent: {error}"
    else:
        log.info("canary.sent", address=address, answer=answer)
    sent = msgspec.structs.replace(sent, answer=answer)
    canaries.save(sent)
    return sent


def lost(
    canaries: Canaries, addresses: Collection[str], within: Span, now: Time
) -> list[SentCanary]:
    """For each address: the first one since the last that came back, if it is overdue."""
    found = canaries.unanswered(addresses)
    return [one for _, one in sorted(found.items()) if now - one.sent_at >= within]
