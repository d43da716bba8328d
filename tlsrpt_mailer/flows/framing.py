"""What a mail needs beside its group: for whom it is, the evidence, and what was read so far."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import msgspec

from tlsrpt_mailer.alerts.directory import Directory
from tlsrpt_mailer.alerts.model import Backlog, Context, Evidence, Group, Item, Planned
from tlsrpt_mailer.alerts.route import owns
from tlsrpt_mailer.flows.items import shown, strangers_of
from tlsrpt_mailer.flows.views import view_of
from tlsrpt_mailer.ports import ComposeTxn, FailureRecord, Looked


class Frame:
    """One round's reader of contexts and evidence; each failure's evidence is read once."""

    def __init__(
        self,
        txn: ComposeTxn,
        records: Sequence[FailureRecord],
        directory: Directory,
        names: Mapping[str, str],
        tls_required_no: str,
    ) -> None:
        self._txn = txn
        self._records = records
        self._directory = directory
        self._names = names
        self._knob = tls_required_no
        self._strangers = {one.id: strangers_of(one.verdict) for one in records}
        self._evidence: dict[int, tuple[Evidence, ...]] = {}
        self._looks: dict[str, Looked | None] = {}

    def context(self, group: Group, base: Context) -> Context:
        """*base* (with the moment filled in) for the one recipient of *group*."""
        also = dict.fromkeys(name for item in group.items for name in item.also_told)
        return msgspec.structs.replace(
            base,
            recipient=group.recipient,
            also_told=tuple(also),
            tls_required_no=self._tls_required_no(group.recipient),
            planned=self._planned(group) if group.kind == "maintenance" else (),
            backlog=self._backlog(group) if group.kind == "summary" else None,
        )

    def with_evidence(self, group: Group) -> Group:
        """Read the evidence only for what is rendered."""
        return msgspec.structs.replace(
            group,
            transitions=tuple(
                msgspec.structs.replace(row, item=self._with_evidence(row.item))
                for row in group.transitions
            ),
        )

    def _with_evidence(self, item: Item) -> Item:
        found = msgspec.structs.replace(item, evidence=self._evidence_of(item.failure))
        view = view_of(found, self._looked(item.domain))
        return msgspec.structs.replace(found, view=view)

    def _looked(self, domain: str) -> Looked | None:
        if domain not in self._looks:
            self._looks[domain] = self._txn.looked(domain)
        return self._looks[domain]

    def _evidence_of(self, failure: int) -> tuple[Evidence, ...]:
        if failure not in self._evidence:
            found = self._txn.evidence(failure)
            strangers = self._strangers.get(failure, frozenset())
            self._evidence[failure] = tuple(shown(one, self._names, strangers) for one in found)
        return self._evidence[failure]

    def _tls_required_no(self, recipient: str) -> bool:
        """
        Whether relays are asked to deliver whatever TLS says (RFC 8689).

        An alert about the recipient's own mail servers must pass through the very
        servers that it is about.
        """
        if self._knob != "auto":
            return self._knob == "always"
        return recipient.rpartition("@")[2].lower() in self._in_trouble

    @cached_property
    def _in_trouble(self) -> frozenset[str]:
        """Domains, MX hosts and what those lie below, with an open failure."""
        return frozenset(name for record in self._records for name in _touched(record))

    def _planned(self, group: Group) -> tuple[Planned, ...]:
        numbers = {item.maintenance for item in group.items if item.maintenance is not None}
        return tuple(
            Planned(
                number=one.number,
                kind=one.kind,
                value=one.value,
                start=one.start,
                end=one.end,
                note=one.note,
            )
            for one in self._txn.maintenances(numbers)
        )

    @cached_property
    def _domains(self) -> Mapping[str, tuple[str, ...]]:
        """Each address to the domains that it owns."""
        found: dict[str, list[str]] = {}
        for domain in self._txn.domains():
            for owner in self._directory.owners_of(domain):
                for address in owner.addresses:
                    found.setdefault(address.lower(), []).append(domain)
        return {address: tuple(names) for address, names in found.items()}

    def _backlog(self, group: Group) -> Backlog | None:
        """What was read about the recipient's domains, and those that the mail names."""
        address, who = group.recipient, self._directory
        mine = set(self._domains.get(address.lower(), ())) | {item.domain for item in group.items}
        found = self._txn.backlog(mine)
        if found is None:
            return None
        ended = [
            one for one in found.ended if owns(address, one.domain, one.result_type, one.mx, who)
        ]
        return Backlog(
            reports=found.reports,
            reporters=found.reporters,
            domains=found.domains,
            first=found.first,
            last=found.last,
            ended=len(ended),
        )


def _touched(record: FailureRecord) -> Iterable[str]:
    if not record.verdict.is_open:
        return
    yield record.verdict.identity.domain
    labels = (record.verdict.identity.mx or "").split(".")
    for at in range(len(labels)):
        yield ".".join(labels[at:])
