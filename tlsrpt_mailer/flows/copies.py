"""
Mails about silence and about trouble of the program itself, for the channels that want them.

Failures are planned for each channel by itself (`flows.compose`). These are not: a channel
gets what somebody is mailed, once, if it may see it.
"""

from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy

import msgspec

from tlsrpt_mailer.alerts.route import ChannelRule
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.ports import Letter, Notice
from tlsrpt_mailer.report.times import Time

COPIED = frozenset({"operator", "silent"})


def copies(letters: Sequence[Letter], audience: Audience, now: Time) -> list[Letter]:
    """*letters* as notices to each channel that wants and may see them; the same words once."""
    found = {
        (rule.recipient, text_of(letter.raw)): notice_of(
            letter, rule.recipient, now, audience.context.host, f"tlsrpt-{letter.event}"
        )
        for letter in letters
        for rule in audience.channels
        if wants(rule, letter, audience)
    }
    return list(found.values())


def wants(rule: ChannelRule, letter: Letter, audience: Audience) -> bool:
    """
    Whether a channel is handed a copy.

    Trouble of the program is for channels that name the event, or have no filter at all;
    silence names domains, so it goes by the owners whose mail it is.
    """
    if letter.event not in COPIED or (rule.events and letter.event not in rule.events):
        return False
    if letter.event == "operator":
        return "operator" in rule.events or not (rule.owners or rule.groups)
    if rule.groups:
        return False
    return not rule.owners or letter.recipient in set(_addresses(rule, audience))


def _addresses(rule: ChannelRule, audience: Audience) -> Iterator[str]:
    for name in rule.owners:
        owner = audience.directory.owner_named(name)
        yield from owner.addresses if owner is not None else (name,)


def notice_of(letter: Letter, to: str, at: Time, host: str, key: str) -> Letter:
    """A mail that is about no failure, as a notice to the channel *to*."""
    notice = Notice(
        id=letter.message_id,
        key=key,
        event=letter.event,
        severity="warning",
        is_open=True,
        title=letter.subject,
        text=text_of(letter.raw),
        at=at,
        host=host,
    )
    raw = msgspec.json.encode(notice)
    return Letter(notice.id, to, notice.title, notice.event, raw, key=key)


def text_of(raw: bytes) -> str:
    """The plain text of a mail; "" where there is none."""
    body = message_from_bytes(raw, policy=policy.default).get_body(("plain",))
    return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""
