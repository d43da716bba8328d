"""A look at a domain beside what is expected and what was seen before."""

from collections.abc import Sequence

import msgspec

from tlsrpt_mailer.domains import sts
from tlsrpt_mailer.domains.drift import Known, history, notes
from tlsrpt_mailer.domains.expected import Expected
from tlsrpt_mailer.domains.finding import Finding, Weight
from tlsrpt_mailer.domains.hosted import hosted
from tlsrpt_mailer.domains.record import txt_line
from tlsrpt_mailer.domains.seen import Answer, HostSeen, Seen
from tlsrpt_mailer.report.model import Mode
from tlsrpt_mailer.report.times import Span, Time

_BY_MODE: dict[Mode, Weight] = {"enforce": "critical", "testing": "warning", "none": "notice"}


class Force(msgspec.Struct, frozen=True):
    """The policy that senders keep to."""

    policy: sts.Policy
    until: Time | None = None
    """Where it is not served any more: when the last copy in a sender's memory is too old."""


class Look(msgspec.Struct, frozen=True):
    """What all of `examining` goes by."""

    seen: Seen
    expected: Expected
    past: Sequence[Known]

    def history(self, kind: str, about: str = "") -> list[Known]:
        """What is known about one thing, the newest first."""
        return history(self.past, kind, about)

    def since(self, kind: str, about: str = "") -> Time:
        """When what stands there now was found first."""
        value = notes(self.seen).get((kind, about))
        rows = self.history(kind, about)
        return rows[0].first_at if rows and rows[0].value == value else self.seen.at

    @property
    def served(self) -> sts.Policy | None:
        """The valid policy that DNS announces and the web server gives out."""
        page = self.seen.page
        if page is None or page.kind != "found" or not sts.parse_sts(self.seen.sts.values).is_valid:
            return None
        policy = sts.parse_policy(page.text)
        return policy if policy.is_valid else None

    @property
    def last_policy(self) -> tuple[sts.Policy, Known] | None:
        """The newest valid policy of the past; the file of now may be among it."""
        for row in self.history("policy"):
            policy = sts.parse_policy(row.value)
            if policy.is_valid:
                return policy, row
        return None

    @property
    def force(self) -> Force | None:
        """What senders keep to, from their memory too (RFC 8461, 3.3); None where nothing."""
        if self.served is not None:
            return Force(self.served)
        last = self.last_policy
        if last is None:
            return None
        until = last[1].last_at + span(last[0])
        return Force(last[0], until) if until > self.expected.now else None

    @property
    def mode(self) -> Mode:
        """Of the policy in force; ``none`` where there is none."""
        force = self.force
        return force.policy.mode or "none" if force else "none"

    @property
    def by_mode(self) -> Weight:
        """What a failure weighs that the policy in force makes of consequence."""
        return _BY_MODE[self.mode]

    @property
    def takes_mail(self) -> bool:
        """Whether it has MX hosts, or addresses to stand in for them (RFC 5321, 5.1)."""
        if self.seen.mx.kind == "found":
            return not is_null_mx(self.seen.mx.values)
        return self.seen.mx.kind == "trouble" or any(
            host.addresses.kind != "absent" for host in self.seen.hosts
        )

    def runs(self, host: str) -> str:
        """The name of who runs an MX host, where that is somebody else; else ""."""
        found = None if self.expected.is_our_mx(host) else hosted(host)
        return found.name if found else ""

    def whom(self, host: str) -> str:
        """Whom to tell of trouble with an MX host that somebody else runs; else ""."""
        found = None if self.expected.is_our_mx(host) else hosted(host)
        return found.tell if found else ""

    def sts_line(self, at: Time) -> str:
        """The record that announces a new policy."""
        now = sts.parse_sts(self.seen.sts.values).id
        return txt_line(f"{sts.PLACE}{self.seen.domain}", sts.sts_text(at, now))


def span(policy: sts.Policy) -> Span:
    """How long senders remember a policy."""
    return policy.max_age or 0


def is_null_mx(values: Sequence[str]) -> bool:
    """Whether a domain says by its MX, of any preference, that it takes no mail (RFC 7505)."""
    return bool(values) and all(mx_name(value) == "." for value in values)


def mx_name(value: str) -> str:
    """The host that an MX record names."""
    return value.partition(" ")[2]


def found(code: str, weight: Weight, mx: str | None = None, **facts: str) -> Finding:
    """A finding with those *facts* that there are."""
    kept = {key: value for key, value in facts.items() if value}
    return Finding(code=code, weight=weight, mx=mx, facts=kept)


def alias_facts(name: str, answer: Answer) -> dict[str, str]:
    """What is to be known before a record is published at *name*, where a CNAME stands there."""
    return {"cname": name, "cname_to": answer.alias} if answer.alias else {}


def is_proven(host: HostSeen) -> bool:
    """
    Whether DNSSEC proves TLSA records of an MX host, so that senders hold it to them.

    Where the addresses are not signed, nobody asks for TLSA records (RFC 7672, 2.2.2).
    """
    tlsa = host.tlsa
    return tlsa.kind == "found" and tlsa.secure is True and host.addresses.secure is not False
