"""Failures put together by what they have in common."""

from collections.abc import Iterable

import msgspec

from tlsrpt_mailer.failures.model import Verdict
from tlsrpt_mailer.ports import FailureRecord
from tlsrpt_mailer.report.times import Time


class CauseGroup(msgspec.Struct, frozen=True):
    """One cause and its failures, the worst first."""

    cause: int
    records: tuple[FailureRecord, ...]

    @property
    def worst(self) -> Verdict:
        """The verdict that the cause is listed under."""
        return self.records[0].verdict

    @property
    def result_type(self) -> str:
        """The result type that all of them have."""
        return self.worst.cause.result_type

    @property
    def mx(self) -> str | None:
        """The MX that all of them have, if any."""
        return self.worst.cause.mx

    @property
    def domains(self) -> list[str]:
        """The policy domains, each once, the worst first."""
        return list(dict.fromkeys(record.verdict.identity.domain for record in self.records))

    @property
    def first_seen(self) -> Time:
        """When the first of them began."""
        return min(record.verdict.first_seen for record in self.records)

    @property
    def last_seen(self) -> Time:
        """When the newest failing window of any of them ended."""
        return max(record.verdict.last_seen for record in self.records)

    @property
    def failed(self) -> int:
        """Failed sessions of all of them."""
        return sum(record.verdict.failed_sessions for record in self.records)

    @property
    def sessions(self) -> int:
        """Sessions in the failing windows of all of them."""
        return sum(record.verdict.sessions for record in self.records)

    @property
    def share(self) -> float:
        """Failed sessions of the sessions, 0 to 1."""
        return min(1.0, self.failed / self.sessions) if self.sessions else 1.0


def groups(records: Iterable[FailureRecord]) -> list[CauseGroup]:
    """The causes of *records*, in the order in which their first failures come."""
    found: dict[int, list[FailureRecord]] = {}
    for record in records:
        found.setdefault(record.cause, []).append(record)
    return [CauseGroup(cause, tuple(members)) for cause, members in found.items()]
