"""Alerts where no address is configured."""

import io
import sys
from email.message import EmailMessage

import pytest

from tlsrpt_mailer.channels.log import LogChannel
from tlsrpt_mailer.ports import Letter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_the_alert_is_on_the_terminal_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Who tries the program out by hand reads the whole alert; a log file gets one event."""
    screen = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    mail = EmailMessage()
    mail.set_content("Senders refuse mail.\n\nHOW TO MEND IT")

    answer = LogChannel().send(Letter("<1@a>", "log", "CRITICAL", "new", mail.as_bytes()))

    assert "logged" == answer
    assert terminal is ("HOW TO MEND IT" in screen.getvalue())


def test_a_mail_without_text_does_not_stop_the_channel() -> None:
    """Whatever the letter is, the log gets its subject."""
    assert "logged" == LogChannel().send(Letter("<1@a>", "log", "CRITICAL", "new", b"\r\n\r\n"))
