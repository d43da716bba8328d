"""`alerts stopped`: what systemd starts when the daemon has given up."""

import subprocess
from pathlib import Path

from tests.e2e.daemon import Site
from tests.e2e.sink import Sink

OPERATOR = 'operator = ["root@mail.example.com"]'


def _stopped(site: Site, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        site.words("alerts", "stopped"),
        env=site.environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


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
