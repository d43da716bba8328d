"""Judge domains inside a transaction: read what is known of them, write what follows."""

from collections.abc import Collection, Sequence

import msgspec

from tlsrpt_mailer.failures.judge import judge
from tlsrpt_mailer.failures.model import HumanAct, Identity, Verdict
from tlsrpt_mailer.failures.standing import known
from tlsrpt_mailer.ports import History, Txn
from tlsrpt_mailer.report.times import Time


class Standing(msgspec.Struct, frozen=True):
    """Reporters that are known from the start."""

    shipped: frozenset[str]
    configured: frozenset[str] = frozenset()

    def known(self, reporters: Collection[str], established: Collection[str]) -> frozenset[str]:
        """Those of *reporters* that have standing (docs/explanation/what-counts-as-new.md)."""
        return frozenset(
            name for name in reporters if known(name, self.shipped, self.configured, established)
        )


class Reads(msgspec.Struct, frozen=True):
    """What judging reads, already read: for commands that write nothing."""

    histories: Sequence[History]
    established: frozenset[str]


def judge_domains(
    txn: Txn, domains: Collection[str], standing: Standing, now: Time
) -> list[Verdict]:
    """Judge these domains at *now* and save the verdicts; the domains' windows are read whole."""
    if not domains:
        return []
    histories = txn.histories(domains)
    unsure = _reporters(histories) - standing.shipped - standing.configured
    reads = Reads(histories, txn.established(unsure) if unsure else frozenset())
    verdicts = judge_histories(reads, standing, now)
    txn.save_verdicts(verdicts, now)
    return verdicts


def judge_histories(reads: Reads, standing: Standing, now: Time) -> list[Verdict]:
    """The verdicts on every failure of these domains at *now*."""
    verdicts: list[Verdict] = []
    for history in reads.histories:
        names = {window.reporter for window in history.windows}
        believed = standing.known(names, reads.established)
        verdicts += judge(history.windows, acts_of(history), believed, now)
    return verdicts


def acts_of(history: History) -> dict[Identity, tuple[HumanAct, ...]]:
    """The acts of a history by what they are about, not by number."""
    return {
        Identity(domain, policy_type, result_type, mx or None): history.acts[number]
        for (domain, policy_type, result_type, mx), number in history.numbers.items()
        if number in history.acts
    }


def _reporters(histories: Sequence[History]) -> frozenset[str]:
    return frozenset(window.reporter for history in histories for window in history.windows)
