"""
Say what is due: compare what is with what each recipient was told, and freeze the mails.

One transaction: bytes, Message-ID and `told` rows are written together, so a
crash before it loses nothing (the difference is still there) and a crash after
it repeats nothing (the difference is gone).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from functools import cached_property

import msgspec
import structlog

from tlsrpt_mailer.alerts.causes import is_from_maintenance
from tlsrpt_mailer.alerts.directory import Directory
from tlsrpt_mailer.alerts.model import Context, Group, Item, Past, Rendered, Settings, Told
from tlsrpt_mailer.alerts.plan import hour_start, plan, told_after
from tlsrpt_mailer.alerts.render import render
from tlsrpt_mailer.alerts.route import ChannelRule, route, route_channels
from tlsrpt_mailer.alerts.schedule import previous_fire, slot
from tlsrpt_mailer.flows.framing import Frame
from tlsrpt_mailer.flows.items import item_of, kept, remembered
from tlsrpt_mailer.flows.notices import notice_of
from tlsrpt_mailer.ports import Composed, ComposeTxn, Letter, Store
from tlsrpt_mailer.ports import Told as Kept
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

log = structlog.get_logger()

MOST_AT_ONCE = 200
"""Mails a transaction, so that a bad day does not keep reports from being stored."""
LOOKS_BACK: Span = 2 * DAY
"""For the last reminder and digest: both matter for a day."""


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told, and how: ``[alerts]``, owners and channels without the moment."""

    directory: Directory
    settings: Settings
    """`now`, `slot` and `close_groups` are filled in by `compose`."""
    context: Context
    """`now`, `recipient`, `also_told`, `reply_to` and `tls_required_no` likewise."""
    names: Mapping[str, str]
    """Organisational domain to the name that people know (Google)."""
    tls_required_no: str = "auto"
    channels: tuple[ChannelRule, ...] = ()
    operator: tuple[str, ...] = ()
    """``alerts.operator``: who hears of trouble of this program."""
    reply_to: str | None = None
    """Where answers arrive; None: no address is printed."""
    new_token: Callable[[], str] | None = None
    """What an answer has to bring along: anew for each mail."""
    at: str = "08:00"
    zone: tzinfo = UTC
    schedule: str = "weekly"
    """Of the digest."""


def compose(
    store: Store, audience: Audience, now: Time, *, close_groups: bool = False
) -> list[Letter]:
    """
    Freeze every mail that is due at *now*.

    Args:
        close_groups: For a run that ends: no group waits for company.

    Raises:
        Temporary: The database cannot be written now; nothing was composed.
    """
    settings = settings_at(audience, now, close_groups=close_groups)
    letters: list[Letter] = []
    while True:
        found, is_all = _compose(store, audience, settings)
        letters += found
        if is_all:
            return letters


def settings_at(audience: Audience, now: Time, *, close_groups: bool = False) -> Settings:
    """`Audience.settings` with the moment filled in."""
    return msgspec.structs.replace(
        audience.settings,
        now=now,
        close_groups=close_groups,
        slot=slot(now, audience.at, audience.zone),
    )


def compose_in(
    txn: ComposeTxn, audience: Audience, settings: Settings
) -> tuple[list[Letter], bool]:
    """
    What is due within *txn*, saved in it.

    Returns:
        The mails, and whether that was all: what is left over is due in the next transaction.
    """
    one = _Round(txn, audience, settings)
    letters = one.letters()
    if letters:
        txn.save_letters(letters, settings.now)
    if one.rows:
        txn.save_told(one.rows)
    return letters, one.is_all


def _compose(store: Store, audience: Audience, settings: Settings) -> tuple[list[Letter], bool]:
    with store.compose() as txn:
        letters, is_all = compose_in(txn, audience, settings)
    for letter in letters:
        log.info(
            "alert.composed",
            recipient=letter.recipient,
            about=letter.event,
            subject=letter.subject,
            message_id=letter.message_id,
            failures=[row.failure for row in letter.told] + list(letter.failures),
        )
    return letters, is_all


def with_token(audience: Audience, context: Context) -> tuple[Context, str | None]:
    """*context* with an address that takes answers to one mail, and the token in it."""
    if audience.reply_to is None or audience.new_token is None:
        return context, None
    token = audience.new_token()
    local, _, domain = audience.reply_to.rpartition("@")
    return msgspec.structs.replace(context, reply_to=f"{local}+ack-{token}@{domain}"), token


class _Round:
    """What is read once for all recipients."""

    def __init__(self, txn: ComposeTxn, audience: Audience, settings: Settings) -> None:
        self._txn = txn
        self._audience = audience
        self._settings = settings
        self._records = txn.failures()
        self._items = [item_of(record, audience.directory) for record in self._records]
        self._told: defaultdict[str, dict[int, Told]] = defaultdict(dict)
        for row in txn.told():
            self._told[row.recipient][row.failure] = remembered(row)
        self._composed: Mapping[str, Composed] = {}
        self._last: defaultdict[str, dict[int, Time]] = defaultdict(dict)
        if self._items:
            self._composed = txn.composed(hour_start(settings.now), settings.now - LOOKS_BACK)
            for (recipient, cause), at in txn.last_composed().items():
                self._last[recipient][cause] = at
        self._frame = Frame(
            txn, self._records, audience.directory, audience.names, audience.tls_required_no
        )
        self._context = msgspec.structs.replace(
            audience.context, now=settings.now, zone=audience.zone
        )
        self.rows: list[Kept] = []
        """What is remembered without a mail that tells it."""
        self.is_all = True

    def letters(self) -> list[Letter]:
        """What is due to addresses, then to channels; each of them all or nothing."""
        letters: list[Letter] = []
        for some in (self._mails(), self._notices()):
            for of_one in some:
                letters += of_one
                # Before the next is looked at: what it remembers would be kept.
                if len(letters) >= MOST_AT_ONCE:
                    self.is_all = False
                    return letters
        self._let_go()
        return letters

    def _mails(self) -> Iterator[list[Letter]]:
        found = route(self._items, self._told, self._audience.directory, self._settings)
        for recipient in sorted(found):
            groups = self._plan(recipient, found[recipient], self._settings)
            yield [self._mail(group) for group in groups]

    def _notices(self) -> Iterator[list[Letter]]:
        audience = self._audience
        found = route_channels(self._items, audience.channels, audience.directory)
        for rule in audience.channels:
            letters = []
            settings = msgspec.structs.replace(self._settings, min_severity=rule.min_severity)
            items = found[rule.recipient]
            for group in self._plan(rule.recipient, items, settings):
                if _lets_through(rule, group):
                    letters.append(self._notice(group, items))
                else:
                    self.rows += self._rows(group, "")
            yield letters

    def _let_go(self) -> None:
        """Close what a channel that is gone was told, or its failures are looked at for ever."""
        here = {rule.recipient for rule in self._audience.channels}
        here.update(self._audience.directory.addresses())
        ended = {item.failure for item in self._items if not item.is_open}
        for recipient in self._told.keys() - here:
            if "@" not in recipient:
                self.rows += [
                    kept(msgspec.structs.replace(row, event="closed"), recipient)
                    for row in self._told[recipient].values()
                    if row.is_open and row.failure in ended
                ]

    def _plan(self, recipient: str, items: Sequence[Item], settings: Settings) -> list[Group]:
        one = self._composed.get(recipient, Composed())
        past = Past(
            mails=one.mails,
            flooded=one.flooded,
            last_mail=self._last.get(recipient, {}),
            last_reminder=one.last_reminder,
            last_digest=max(one.last_digest or 0, self._digest_fire) or None,
        )
        told = self._told.get(recipient, {})
        return plan(recipient, items, told.values(), settings, past)

    @cached_property
    def _digest_fire(self) -> Time:
        """When a digest is being made just now: nobody is reminded in front of it."""
        audience, now = self._audience, self._settings.now
        fire = previous_fire(audience.schedule, audience.at, audience.zone, now)
        return fire if fire is not None and now < fire + HOUR else 0

    def _mail(self, group: Group) -> Letter:
        context, token = with_token(self._audience, self._frame.context(group, self._context))
        rendered = render(self._frame.with_evidence(group), context)
        rows = self._rows(group, rendered.message_id)
        if group.kind == "reminder":
            self.rows += rows
            return self._letter(group, rendered, token=token, failures=_numbers(group))
        return self._letter(group, rendered, token=token, told=tuple(rows))

    def _notice(self, group: Group, items: Iterable[Item]) -> Letter:
        context = self._frame.context(group, self._context)
        rendered = render(self._frame.with_evidence(group), context)
        notice = notice_of(group, items, rendered, self._audience.context.host, self._settings)
        return self._letter(
            group,
            msgspec.structs.replace(rendered, raw=msgspec.json.encode(notice)),
            told=tuple(self._rows(group, rendered.message_id)),
            key=group.key,
        )

    def _letter(self, group: Group, rendered: Rendered, **more: object) -> Letter:
        letter = Letter(
            message_id=rendered.message_id,
            recipient=group.recipient,
            subject=rendered.subject,
            event=group.kind,
            raw=rendered.raw,
        )
        return msgspec.structs.replace(letter, **more)

    def _rows(self, group: Group, message_id: str) -> list[Kept]:
        now = self._settings.now
        return [kept(row, group.recipient) for row in told_after(group, now, message_id)]


def _numbers(group: Group) -> tuple[int, ...]:
    return tuple(item.failure for item in group.items)


def _lets_through(rule: ChannelRule, group: Group) -> bool:
    said = {group.kind, *(row.event for row in group.transitions)}
    if any(is_from_maintenance(row) for row in group.transitions):
        # To a channel each cause is told by itself, but it may ask for just these.
        said.add("maintenance")
    return not rule.events or not said.isdisjoint(rule.events)
