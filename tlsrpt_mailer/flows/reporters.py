"""
What an operator says of reporters: written, put on record, and judged at once.

The word holds for what came before it as for what comes after: who says it
early and who says it late have the same failures open.
"""

from collections.abc import Collection

import msgspec

from tlsrpt_mailer.flows.judging import Standing, judge_domains
from tlsrpt_mailer.ports import AuditEntry, ReporterWord, Store, Txn
from tlsrpt_mailer.report.times import Time

CHUNK = 200
"""Domains judged in one transaction."""


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
    store: Store, names: Collection[str], said: Word, standing: Standing, now: Time
) -> Judged:
    """
    Say it of these reporters, and judge every domain again that they speak of.

    The word is written with the first `CHUNK` of domains, and the others follow, so that no
    mail waits for all of them. Said once more, it judges all of them once more.
    """
    with store.write() as txn:
        touched = _note(txn, names, said, now)
        judged = [_judged(txn, touched[:CHUNK], standing, now)]
    for first in range(CHUNK, len(touched), CHUNK):
        with store.write() as txn:
            judged.append(_judged(txn, touched[first : first + CHUNK], standing, now))
    return Judged(
        sum(one.domains for one in judged),
        sum(one.before for one in judged),
        sum(one.open for one in judged),
    )


def _note(txn: Txn, names: Collection[str], said: Word, now: Time) -> list[str]:
    """Write it down; returns the domains that it touches."""
    before = txn.people.said_of_reporters()
    for name in names:
        note = said.note
        if note is None and name in before and before[name].word == said.word:
            # Who says the same once more takes back no reason.
            note = before[name].note
        txn.people.save_reporter_word(name, said.word, now, said.who, note)
    action = f"reporters-{said.word or 'forget'}"
    target = {"reporters": " ".join(names)}
    txn.people.save_audit(AuditEntry(now, said.who, said.way, action, target, said.note))
    return txn.domains_to_judge(txn.people.domains_of_reporters(names))


def _judged(txn: Txn, domains: list[str], standing: Standing, now: Time) -> Judged:
    before = txn.people.open_failures(domains)
    judge_domains(txn, domains, standing, now)
    return Judged(len(domains), before, txn.people.open_failures(domains))
