"""The way out where no address is configured: the log, and the terminal if there is one."""

import sys
from email import message_from_bytes, policy

import structlog

from tlsrpt_mailer.ports import Letter

log = structlog.get_logger()


class LogChannel:
    """`ports.Channel` that cannot fail: one event in the log, the whole text on a terminal."""

    def send(self, letter: Letter) -> str:
        """See `ports.Channel.send`."""
        body = message_from_bytes(letter.raw, policy=policy.default).get_body(("plain",))
        # The lines of a mail end in CR LF (RFC 5322, 2.3).
        text = str(body.get_content()).replace("\r\n", "\n") if body is not None else ""
        first = " ".join(text.split("\n\n", 1)[0].split())
        log.warning("alert.raised", about=letter.event, subject=letter.subject, text=first)
        if sys.stdout.isatty():
            sys.stdout.write(f"\nSubject: {letter.subject}\n\n{text}\n")
        return "logged"
