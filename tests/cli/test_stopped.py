"""`alerts stopped`: a daemon that is down cannot say so itself."""

from email import message_from_bytes, policy

import pytest

from tests.channels.relay import relay
from tests.cli.conftest import Place
from tests.ports import free_port

TABLE = """
[alerts]
to = ["postmaster@example.com"]
operator = ["root@example.com"]
{more}
[alerts.smtp]
host = "127.0.0.1"
port = {port}
"""


@pytest.mark.parametrize(
    ("result", "status", "why"),
    [
        ("exit-code", "78", "Its configuration is wrong (exit code 78)"),
        ("exit-code", "70", "It ended with exit code 70, again and again."),
        ("exit-code", "1", "again and again: its database is damaged, of another"),
        ("watchdog", "", "It hung, and systemd ended it."),
        ("signal", "KILL", "systemd says: signal KILL."),
        (None, "", "Why is not known here."),
    ],
)
def test_the_operator_hears_why(
    place: Place, monkeypatch: pytest.MonkeyPatch, result: str | None, status: str, why: str
) -> None:
    """The mail goes to the operator, not to the owners, and says what systemd knows."""
    if result is not None:
        monkeypatch.setenv("MONITOR_SERVICE_RESULT", result)
        monkeypatch.setenv("MONITOR_EXIT_STATUS", status)
    with relay() as sink:
        place.configure(TABLE.format(more="", port=sink.port))
        answer = place("alerts", "stopped")

    (envelope,) = sink.envelopes
    assert 0 == answer.code
    assert ["root@example.com"] == envelope.rcpt_tos
    assert why in message_from_bytes(envelope.content, policy=policy.default).get_content()


def test_a_wrong_configuration_is_no_reason_to_stay_silent(place: Place) -> None:
    """What is right of [alerts] is used: a wrong key is the likeliest cause of the stop."""
    with relay() as sink:
        place.configure(TABLE.format(more='max_age = "soon"\nnonsense = 1', port=sink.port))
        answer = place("alerts", "stopped")

    assert 0 == answer.code
    assert "the configuration is wrong" in answer.err
    assert [["root@example.com"]] == [envelope.rcpt_tos for envelope in sink.envelopes]


@pytest.mark.parametrize("text", ["[[[", 'alerts = "none"'])
def test_a_configuration_beyond_repair_names_nobody(place: Place, text: str) -> None:
    """Where nothing can be read the exit code says that nobody was told."""
    place.config.write_text(text)

    assert 78 == place("alerts", "stopped").code


def test_a_relay_that_is_down_is_named(place: Place) -> None:
    """The journal then has the reason, and the exit code is 69."""
    place.configure(TABLE.format(more="", port=free_port()))

    answer = place("alerts", "stopped")

    assert 69 == answer.code
    assert "root@example.com" in answer.err
