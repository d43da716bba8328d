"""
What an operator says of reporters: written, put on record, and judged at once.

The word holds for what came before it as for what comes after: who says it
early and who says it late have the same failures open.
"""

from collections.abc import Collection

import msgspec

from tlsrpt_mailer.flows.judging import Standing, judge_domains
from tlsrpt_mailer.ports import AuditEntry, ReporterWord, Txn
from tlsrpt_mailer.report.times import Time


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What is said, and by whom."""

    word: ReporterWord | None
    """None takes back what was said before."""
    who: str
    way: str
    note: str | None = None


class Judged(msgspec.Struct, frozen=True):
    """What follows from it."""

    domains: int
    """How many were judged again."""
    before: int
    """How many failures were open there."""
    open: int
    """How many are now."""


def say_of_reporters(
    txn: Txn, names: Collection[str], said: Word, standing: Standing, now: Time
) -> Judged:
    """Say it of these reporters, and judge every domain again that they speak of."""
    for name in names:
        txn.people.save_reporter_word(name, said.word, now, said.who, said.note)
    action = f"reporters-{said.word or 'forget'}"
    target = {"reporters": " ".join(names)}
    txn.people.save_audit(AuditEntry(now, said.who, said.way, action, target, said.note))
    touched = txn.domains_to_judge(txn.people.domains_of_reporters(names))
    before = txn.people.open_failures(touched)
    judge_domains(txn, touched, standing, now)
    return Judged(len(touched), before, txn.people.open_failures(touched))
