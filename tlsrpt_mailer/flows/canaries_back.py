"""A test report of our own that has come in: recognised, timed, never counted."""

from collections.abc import Sequence

import msgspec
import structlog

from tlsrpt_mailer.flows.deciding import CanaryBack, Decision, ReadMail
from tlsrpt_mailer.flows.trusting import Opinion
from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.ports import Entry, RawMail, Receipt, Txn
from tlsrpt_mailer.report.times import Time

log = structlog.get_logger()

NOBODYS = "a test report of this program that nobody here has sent"


def canary(
    mail: RawMail, sha: bytes, content: MailContent, token: str, believed: Sequence[Opinion]
) -> ReadMail:
    """The mail with its report taken out, so that nothing can count it."""
    said = believed[0]
    signature = said.trust if said.trust == "pass" else f"{said.trust}: {said.reason or ''}"
    bare = MailContent("not-a-report", "canary", NOBODYS, (), content.facts)
    return ReadMail(mail, sha, bare, canary=CanaryBack(token, signature.rstrip(": ")))


def came_back(
    txn: Txn, one: ReadMail, entry: Entry, receipt: Receipt, back: CanaryBack, now: Time
) -> Decision:
    """
    Note that it is back, where it is ours.

    It is over like a copy of something that is here already: a source may move or
    delete it. One that nobody has sent stays a mail without a report.
    """
    at = min(one.mail.taken_at, now)
    sent = txn.canary_came(back.token, at, one.mail.source, back.signature)
    if sent is None:
        return entry, receipt
    took = max(0, (sent.came_at or at) - sent.sent_at)
    log.info("canary.came_back", address=sent.address, seconds=took, signature=sent.signature)
    reason = f"our own test report, {took} s after it was sent"
    return (
        msgspec.structs.replace(
            entry, outcome="duplicate", reason=reason, keep="no", forward_to=None
        ),
        Receipt("duplicate", reason),
    )
