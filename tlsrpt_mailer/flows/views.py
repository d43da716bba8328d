"""What our own looks at a domain found, as a mail about one of its failures shows it."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tlsrpt_mailer.alerts.model import Drift, Item, Served, ShownAddress, Unseen, View
from tlsrpt_mailer.domains.drift import Change, Known, changes, changes_after, history, values
from tlsrpt_mailer.domains.seen import Seen, Shown
from tlsrpt_mailer.domains.sts import parse_policy, parse_sts
from tlsrpt_mailer.failures import probed
from tlsrpt_mailer.ports import Looked
from tlsrpt_mailer.report.times import DAY, Span, Time

BEFORE: Span = 7 * DAY
"""How long before a failure's first window something that changed may have caused it."""
TOLD = frozenset({"mx", "ns", "sts", "policy", "tlsa", "certificate"})
"""What changes of which may break TLS."""


def view_of(item: Item, looked: Looked | None) -> View | None:
    """What a mail about *item* shows; None where its domain was never looked at."""
    if looked is None:
        return None
    seen, known = looked.seen, [row for row in looked.known if row.kind in TOLD]
    since = min(item.first_seen, item.clean_before or item.first_seen) - BEFORE
    began = item.first_failing_end
    found = changes(known, since, began)
    bare = View(
        at=seen.at,
        unseen=_unseen(seen),
        shown=tuple(_shown(item, looked)),
        old_until=_old_until(item, looked.known),
        drift=tuple(map(drift_of, found)),
        drift_after=tuple(map(drift_of, changes_after(known, began))),
        looked_since=min((row.first_at for row in known), default=None),
        still_since=None if found else _still_since(known, began),
    )
    return _with_policy(_with_mx(bare, looked), looked)


def drift_of(one: Change) -> Drift:
    """One change, as mails and commands show it."""
    return Drift(
        kind=one.kind,
        about=one.about,
        old=one.old,
        new=one.new,
        after=one.after,
        before=one.before,
    )


def _still_since(known: Iterable[Known], until: Time) -> Time | None:
    """When the last of what stood there *until* then came: nothing changed in between."""
    return max((row.first_at for row in known if row.first_at <= until), default=None)


def _with_mx(view: View, looked: Looked) -> View:
    """The MX hosts of the last look; of the last that got an answer where that one did not."""
    if looked.seen.mx.kind != "trouble":
        return msgspec.structs.replace(view, mx=tuple(host.host for host in looked.seen.hosts))
    rows = history(looked.known, "mx")
    return msgspec.structs.replace(
        view,
        dark=view.dark | {"mx"},
        mx=tuple(value.partition(" ")[2] for value in values(rows[0])) if rows else (),
        mx_at=rows[0].last_at if rows else None,
    )


# ------------------------------------------------------------------------ policy


def _with_policy(view: View, looked: Looked) -> View:
    """The policy of the last look; of the last that got an answer where that one did not."""
    seen, announced = looked.seen, history(looked.known, "sts")
    since = announced[0].first_at if announced else None
    if seen.sts.kind == "trouble":
        files = history(looked.known, "policy")
        there = bool(announced and announced[0].value and files)
        return msgspec.structs.replace(
            view,
            dark=view.dark | {"policy"},
            policy_at=announced[0].last_at if announced else None,
            policy=_served(files[0].value, values(announced[0]), since) if there else None,
        )
    page = seen.page
    if page is None or page.kind != "found":
        return msgspec.structs.replace(view, policy_error="" if page is None else page.error)
    return msgspec.structs.replace(view, policy=_served(page.text, seen.sts.values, since))


def _served(text: str, announced: Sequence[str], since: Time | None) -> Served:
    policy = parse_policy(text)
    return Served(
        lines=tuple(line for line in text.splitlines() if line.strip()),
        mode=policy.mode,
        max_age=policy.max_age,
        mx=policy.mx,
        id=parse_sts(announced).id,
        since=since,
    )


def _old_until(item: Item, known: Iterable[Known]) -> Time | None:
    """The last look that found the policy which the newest report quotes."""
    quoted = next((row.policy_string for row in item.evidence if row.policy_string), ())
    if not quoted:
        return None
    wanted = parse_policy("\n".join(quoted))
    return next(
        (
            row.last_at
            for row in history(known, "policy")
            if (old := parse_policy(row.value)).mx == wanted.mx and old.mode == wanted.mode
        ),
        None,
    )


# ------------------------------------------------------------------------- probe


def _unseen(seen: Seen) -> Unseen | None:
    """Why the look connected to no MX host; None where it did."""
    if any(host.shown for host in seen.hosts):
        return None
    if seen.is_probing is False:
        return "off"
    if seen.mx.kind == "trouble" or any(one.addresses.kind == "trouble" for one in seen.hosts):
        return "dark"
    if not any(one.addresses.values for one in seen.hosts):
        return "no-address"
    return "blocked" if seen.is_probing else "unknown"


def _shown(item: Item, looked: Looked) -> Iterator[ShownAddress]:
    """By the last look; what earlier ones saw where that one connected to no host."""
    seen = looked.seen
    now = [(host.host, host.shown) for host in seen.hosts if host.shown]
    for host, shown in now or looked.shown:
        for one in shown:
            ills = _ills(one, seen.at)
            same = [ill for ill in ills if probed.is_same_trouble(item.result_type, ill[1])]
            trouble, _ = (same or ills or [("", "")])[0]
            yield ShownAddress(
                host=host,
                ip=one.ip,
                at=one.at,
                trouble=trouble,
                is_same=bool(same),
                not_after=one.chain[0].not_after if one.chain else None,
            )


_KINDS = {
    "no-starttls": ("offers no STARTTLS", probed.NO_STARTTLS),
    "handshake": ("TLS fails", probed.HANDSHAKE),
    "refused": ("takes no mail from here", probed.UNREACHABLE),
    "unreachable": ("does not answer", probed.UNREACHABLE),
    "timeout": ("does not answer", probed.UNREACHABLE),
}


def _ills(one: Shown, now: Time) -> list[tuple[str, str]]:
    """What is wrong with an address, and the code of the finding that says so; the worst first."""
    if one.kind != "tls":
        return [_KINDS[one.kind]]
    is_over = bool(one.chain) and one.chain[0].not_after <= now
    found = [
        ("expired", probed.EXPIRED, is_over),
        ("made out to another name", probed.OTHER_NAME, one.names_fit is False),
        # What has expired is trusted by nobody either, and that says nothing more.
        ("not trusted", probed.UNTRUSTED, one.is_trusted is False and not is_over),
    ]
    return [(words, code) for words, code, is_so in found if is_so]
