"""Failures as of the moment that a command speaks of."""

from collections.abc import Iterable

import msgspec

from tlsrpt_mailer import wiring
from tlsrpt_mailer.cli import options
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.failures.model import SEVERITIES
from tlsrpt_mailer.flows.judging import Reads
from tlsrpt_mailer.ports import FailureRecord
from tlsrpt_mailer.store.queries import Reader


def records(
    reader: Reader, config: Config, *, open_only: bool, domain: str | None = None
) -> list[FailureRecord]:
    """
    Failures, open ones and the worst first.

    As the last review left them; with ``--now`` judged at that moment, written nowhere.
    """
    stored = reader.failures(open_only=open_only, domain=domain).rows
    if options.current().now is None:
        return stored
    anew = judged(reader, config, stored)
    return sorted((one for one in anew if one.verdict.is_open or not open_only), key=_worst_first)


def judged(reader: Reader, config: Config, stored: Iterable[FailureRecord]) -> list[FailureRecord]:
    """The same failures with the verdict of this moment."""
    stored = list(stored)
    histories = [
        reader.history(domain) for domain in {one.verdict.identity.domain for one in stored}
    ]
    reporters = {window.reporter for one in histories for window in one.windows}
    established = reader.established(frozenset(reporters))
    reads = Reads(histories, established, reader.maintenance())
    verdicts = {
        verdict.identity: verdict for verdict in wiring.judge_now(config, reads, options.now())
    }
    return [
        msgspec.structs.replace(one, verdict=verdicts.get(one.verdict.identity, one.verdict))
        for one in stored
    ]


def known(reader: Reader, config: Config, reporters: set[str]) -> frozenset[str]:
    """Those of *reporters* that have standing today."""
    established = reader.established(frozenset(reporters))
    return wiring.standing(config).known(reporters, established)


def _worst_first(record: FailureRecord) -> tuple[bool, int, int, int]:
    verdict = record.verdict
    return (
        not verdict.is_open,
        SEVERITIES.index(verdict.severity),
        -verdict.last_seen,
        record.id,
    )
