"""`alerts stopped`: what systemd starts when the daemon has given up."""

import subprocess
from pathlib import Path

from tests.e2e.daemon import Site
from tests.e2e.sink import Sink, text_of

OPERATOR = 'operator = ["root@mail.example.com"]'
NOBODY = 78
UNREACHABLE = 69


def _stopped(site: Site, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        site.words("alerts", "stopped"),
        env=site.environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_operator_is_told_why(tmp_path: Path, sink: Sink) -> None:
    """The operator, and not the people who mend certificates, hears that the daemon is down."""
    site = Site(tmp_path, "", sink.port, OPERATOR)

    done = _stopped(site, MONITOR_SERVICE_RESULT="watchdog", MONITOR_EXIT_STATUS="ABRT")

    assert done.returncode == 0, done.stderr
    assert sink.recipients == [["root@mail.example.com"]]
    assert sink.mails[0]["Subject"].startswith("OPERATOR tlsrpt-mailer on ")
    assert sink.mails[0]["X-TLSRPT-Mailer"] == "event=stopped"
    assert "It hung, and systemd ended it." in text_of(sink.mails[0])
    assert max(map(len, text_of(sink.mails[0]).splitlines())) <= 80
    assert not site.database.exists()


def test_a_wrong_configuration_is_no_hindrance(tmp_path: Path, sink: Sink) -> None:
    """
    The daemon stopped because of a mistake in its configuration: the operator is told by way
    of what is right in it.
    """
    site = Site(tmp_path, "[nonsense]\n", sink.port, f"{OPERATOR}\nmax_per_hour = 0\nresolve = 1")

    done = _stopped(site, MONITOR_SERVICE_RESULT="exit-code", MONITOR_EXIT_STATUS="78")

    assert done.returncode == 0, done.stderr
    assert "configuration is wrong (exit code 78)" in text_of(sink.mails[0])


def test_the_same_stop_is_the_same_mail(tmp_path: Path, sink: Sink) -> None:
    """The Message-ID is made of systemd's number of the run, so that a repeat is recognised."""
    site = Site(tmp_path, "", sink.port, OPERATOR)

    for invocation in ("a", "a", "b"):
        _stopped(site, MONITOR_INVOCATION_ID=invocation)

    first, second, third = (mail["Message-ID"] for mail in sink.mails)
    assert first == second
    assert first != third


def test_without_an_operator_the_default_recipient_hears_it(tmp_path: Path, sink: Sink) -> None:
    """Somebody always hears it: without alerts.operator those in alerts.to do."""
    done = _stopped(Site(tmp_path, "", sink.port))

    assert done.returncode == 0, done.stderr
    assert sink.recipients == [["postmaster@example.com"]]


def test_nobody_to_tell(tmp_path: Path) -> None:
    """Without a recipient, with a file that is no TOML, without a relay: a code, no traceback."""
    nobody, down = Site(tmp_path), tmp_path / "down"
    down.mkdir()
    broken = tmp_path / "broken"
    broken.mkdir()
    garbage = Site(broken)
    garbage.config.write_text("[[[")

    answers = [_stopped(nobody), _stopped(garbage), _stopped(Site(down, "", 1))]

    assert [answer.returncode for answer in answers] == [NOBODY, NOBODY, UNREACHABLE]
    assert not any("Traceback" in answer.stderr for answer in answers)
