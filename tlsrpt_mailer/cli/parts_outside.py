"""The parts of `status` that go out to the network: looks at domains, and test reports."""

from collections.abc import Sequence

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli.parts import Part
from tlsrpt_mailer.config import Config, host_name
from tlsrpt_mailer.ports import SentCanary
from tlsrpt_mailer.report.times import HOUR, Span, Time
from tlsrpt_mailer.store.inventory import LookTotals

LATE: Span = 3 * HOUR
"""How long a look may be overdue; ten thousand domains take their time."""
NO_ANSWER = 0.5
"""Where DNS did not answer for as large a part of the domains, it is ours that does not."""


def checks(found: LookTotals, config: Config, now: Time, *, runs: bool) -> Part:
    """
    Whether domains are looked at.

    Args:
        runs: Whether a daemon does it.
    """
    every = words.plural(found.domains - found.hosts, "domain")
    if found.hosts:
        every += f" and {words.plural(found.hosts, 'MX host')} with TLSA records"
    if config.checks.schedule == "off":
        return Part("ok", "checks", "off (checks.schedule)")
    if not found.domains:
        return Part("ok", "checks", "no domain is known to be yours yet")
    blocked: tuple[str, ...] = ()
    if found.is_blocked:
        blocked = ("port 25 cannot be reached from here: tlsrpt-mailer explain probe-blocked",)
    if found.last_at is None:
        return Part("ok", "checks", f"{every}, none looked at yet", blocked)
    what = f"{every}, the last look {words.when(found.last_at, now)}"
    if runs and found.next_at is not None and found.next_at < now - LATE:
        late = words.moment(found.next_at, now)
        due = f"a look has been due since {late}"
        why = "why: journalctl -u tlsrpt-mailer"
        return Part("warn", "checks", what, (due, why, *blocked))
    if found.silent:
        said = f"DNS did not answer for {words.number(found.silent)} of them"
        is_ours = found.silent > NO_ANSWER * found.domains
        more = ("is the resolver of this host, or dns.nameservers, right?",) if is_ours else ()
        return Part("warn" if is_ours else "ok", "checks", what, (said, *more, *blocked))
    return Part("warn" if blocked else "ok", "checks", what, blocked, is_standing=bool(blocked))


def canary(sent: Sequence[SentCanary], config: Config, now: Time) -> list[Part]:
    """
    Each address of ours by its last test reports; nothing where none is sent.

    Args:
        sent: The last ones, newest first.
    """
    if config.canary.schedule == "off":
        return []
    addresses = wiring.canary_addresses(config, host_name())
    if not addresses:
        what = "no address of yours is known that reports go to: say checks.rua"
        return [Part("warn", "canary", what, is_standing=True)]
    by_address = {name: [row for row in sent if row.address == name] for name in addresses}
    return [_canary(name, rows, config, now) for name, rows in by_address.items()]


def _canary(address: str, sent: Sequence[SentCanary], config: Config, now: Time) -> Part:
    name = log.safe(address, 60)
    if not sent:
        return Part("ok", "canary", f"{name}: none sent yet")
    back = next((row for row in sent if row.came_at is not None), None)
    since_then = -1 if back is None else back.sent_at
    open_ = [row for row in sent if row.came_at is None and row.sent_at > since_then]
    last = "none has come back yet"
    if back is not None and back.came_at is not None:
        took = max(0, back.came_at - back.sent_at)
        last = f"the last came back in {words.number(took)} s, {words.when(back.came_at, now)}"
    if open_ and now - open_[-1].sent_at >= config.canary.within:
        since = words.when(open_[-1].sent_at, now)
        more = (log.safe(open_[-1].answer or "no answer of its MX yet", 200), last)
        return Part("FAIL", "canary", f"{name}: not back, sent {since}", more)
    return Part("ok", "canary", f"{name}: {last}")
