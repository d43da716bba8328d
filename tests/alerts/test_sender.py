"""What a mail says of where it comes from, and to whom it went."""

import msgspec
import pytest

from tests.alerts.examples import context, group, item
from tlsrpt_mailer.alerts.render import render


@pytest.mark.parametrize(
    ("sender", "host"),
    [
        ("tlsrpt@mail.example.com", "mail.example.com"),
        ("TLS reports <tlsrpt@mail.example.com>", "mail.example.com"),
        ("root", "node7"),
    ],
)
def test_a_message_id_ends_in_the_senders_domain(sender: str, host: str) -> None:
    """Many hosts know only their short name, which other hosts may have as well."""
    rendered = render(group(item()), context(sender=sender, host="node7"))

    assert rendered.message_id.endswith(f"@{host}>")


def test_the_log_is_no_recipient() -> None:
    """Where alerts.to is empty the footer says so, in place of naming a mailbox called log."""
    shown = render(
        msgspec.structs.replace(group(item()), recipient="log"), context(recipient="log")
    )

    assert "alerts.to names nobody" in shown.text
    assert "names log" not in shown.text
