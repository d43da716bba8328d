"""One mail over LMTP, and what was said to it."""

import smtplib

from tests.e2e.daemon import RECIPIENT, SENDER
from tests.e2e.waiting import PATIENCE

TAKEN, TEMPORARY = 250, 451
OFF = '[trust]\ndkim = "off"\n'


def answer(port: int, raw: bytes) -> int:
    """250, or the code of the refusal."""
    with smtplib.LMTP("127.0.0.1", port, timeout=2 * PATIENCE) as client:
        try:
            client.sendmail(SENDER, RECIPIENT, raw)
        except smtplib.SMTPDataError as refusal:
            return refusal.smtp_code
        except smtplib.SMTPRecipientsRefused as refusal:
            return next(iter(refusal.recipients.values()))[0]
    return TAKEN
