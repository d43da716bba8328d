"""The database, as ingesting sees it."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from tlsrpt_mailer.failures.model import HumanAct, Spell, Verdict, Window
from tlsrpt_mailer.ports.canaries import SentCanary
from tlsrpt_mailer.ports.checking import Look
from tlsrpt_mailer.ports.composing import ComposeTxn
from tlsrpt_mailer.ports.held import NOBODY, Proposer
from tlsrpt_mailer.ports.people import Maintenance, People
from tlsrpt_mailer.ports.reports import Entry, Known, Trusted
from tlsrpt_mailer.report.times import Span, Time


class History(msgspec.Struct, frozen=True):
    """All that the judge needs of one domain."""

    domain: str
    windows: tuple[Window, ...]
    acts: dict[int, tuple[HumanAct, ...]]
    """By failure number."""
    numbers: dict[tuple[str, str, str, str], int]
    """(domain, policy type, result type, mx or "") to failure number, for those known before."""
    spells: tuple[Spell, ...] = ()
    """What looks at the domain found."""
    found: dict[tuple[str, str], int] = {}
    """(code, mx or "") of findings to failure number, for those known before."""
    shown: dict[str, Time] = {}
    """When each MX host that windows speak of was probed last, all of its addresses."""


class Txn(Protocol):
    """One write transaction (BEGIN IMMEDIATE); what is read in it may be written after."""

    @property
    def people(self) -> People:
        """What people do."""

    def known(
        self, mails: Collection[bytes], digests: Collection[bytes], keys: Collection[bytes]
    ) -> Known:
        """What is already there, of these hashes, digests and revision keys."""

    def reopen(self, mails: Collection[bytes]) -> dict[bytes, dict[bytes, Trusted]]:
        """Those of these mails of which reports are held, with whose word each was taken for, by
        digest: these reports go, for the mail is put in anew in this transaction. They keep
        their numbers where they are held again."""

    def ignored_bytes(self) -> int:
        """How much raw mail that is no report is kept."""

    def put(self, entries: Sequence[Entry]) -> None:
        """Write mails, reports, policies, details, windows and sightings; mark the superseded;
        keep raw bytes; queue forwards; drop the `taking` and fault notes of these mails."""

    def propose(self, domains: Collection[str], now: Time, by: Proposer = NOBODY) -> None:
        """A believed report of *by* speaks of these, and nobody knows yet whether they are ours
        (`domains.ours`): their records are looked up by a job."""

    def domains_to_judge(self, domains: Collection[str]) -> list[str]:
        """Of these: the ones with a sighting or an open failure. Others need no judging."""

    def open_domains(self) -> list[str]:
        """All domains with a failure that has not ended, for the review by time alone."""

    def histories(self, domains: Collection[str]) -> list[History]:
        """Every counted window about these domains, in one go; those of a reporter that
        somebody distrusts are left out."""

    def established(self, reporters: Collection[str]) -> frozenset[str]:
        """Those that somebody here trusts, or with at least three counted windows over seven days
        with successes; nobody who is distrusted."""

    def maintenance(self) -> list[Maintenance]:
        """All planned quiet, past and future, by number."""

    def save_looks(self, looks: Sequence[Look]) -> None:
        """Write what these looks found; a look older than what is known writes nothing."""

    def save_spells(self, domain: str, spells: Sequence[Spell]) -> None:
        """Write what is new or changed of a domain's findings beside a look at it."""

    def canary_came(self, token: str, at: Time, source: str, signature: str) -> SentCanary | None:
        """The test report of this token has come in; None where nobody has sent it."""

    def look_soon(self, domains: Collection[str], at: Time, rest: Span = 0) -> None:
        """Look at these at *at*, those excepted that are due before it, or were looked at less than
        *rest* before."""

    def open_among(self, domains: Collection[str]) -> list[str]:
        """Of these, the ones with an open failure that reports speak of; sorted."""

    def save_verdicts(self, verdicts: Iterable[Verdict], now: Time) -> None:
        """Write each failure's state; give new failures and causes a number."""


class Faults(Protocol):
    """Notes that outlive a crash; each call commits at once."""

    def begin(self, mails: Sequence[bytes], now: Time) -> None:
        """These mails (SHA-256) are about to be read."""

    def survived(self, mails: Sequence[bytes]) -> None:
        """Of these, begun by this process, nothing but the writing is left to do."""

    def suspects(self) -> dict[bytes, int]:
        """Mails that were being read (or written) when the process died, with how often."""

    def failed(self, mail: bytes, error: str) -> int:
        """The core raised on these bytes once more; returns how often so far."""

    def done(self, mails: Sequence[bytes]) -> None:
        """These mails are over (a batch that was rolled back for trouble of ours)."""


class Store(Protocol):
    """The database, as the flows see it."""

    def write(self) -> AbstractContextManager[Txn]:
        """BEGIN IMMEDIATE … COMMIT; rolled back on any exception.
        Raises Temporary where the database is locked or the disk is full."""

    def compose(self) -> AbstractContextManager[ComposeTxn]:
        """The same, for composing."""

    @property
    def faults(self) -> Faults:
        """Notes about mails that trouble the process."""
