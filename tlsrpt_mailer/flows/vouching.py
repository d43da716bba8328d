"""Who says of a mail that is not believed that it is signed all the same."""

from collections.abc import Callable

import msgspec

from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.ports import NewReport, Trusted
from tlsrpt_mailer.trust.message import message
from tlsrpt_mailer.trust.results import vouching

UNBELIEVED: frozenset[Trusted] = frozenset({"unsigned", "third-party", "fail"})


def with_voucher(
    raw: bytes, reports: tuple[NewReport, ...], organisational: Callable[[str], str | None]
) -> tuple[NewReport, ...]:
    """*reports* of the mail *raw*, those that are not believed with `NewReport.vouched_by`."""
    if not any(_is_asked(new) for new in reports):
        return reports
    try:
        server = vouching(message(raw), organisational)
    except BadReport:
        return reports
    return tuple(
        msgspec.structs.replace(new, vouched_by=server) if _is_asked(new) else new
        for new in reports
    )


def _is_asked(new: NewReport) -> bool:
    # What lay in a forwarded mail has no field that an MTA of ours wrote.
    return new.trust in UNBELIEVED and new.found.message is None
