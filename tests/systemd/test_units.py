"""The unit files, as systemd's own tools read them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tlsrpt_mailer.config.parse import parse
from tlsrpt_mailer.wiring import KINDS

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
SOCKETS = sorted(path.name for path in UNITS.glob("*.socket"))
PROGRAM = "/opt/tlsrpt-mailer/bin/tlsrpt-mailer"
MOST_EXPOSURE = 13
"""In tenths, as --threshold= wants it."""

pytestmark = pytest.mark.servers


def _run(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )


def _settings(name: str) -> dict[str, list[str]]:
    """All assignments of a unit file, by key."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_systemd_understands_every_unit(tmp_path: Path) -> None:
    """
    systemd-analyze finds nothing to remark on in any unit: no unknown key, no
    value that is ignored, no unit named that is not there.
    """
    program = tmp_path / "tlsrpt-mailer"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path in UNITS.glob("*.s*t"):  # sockets, and what is no unit at all
        (tmp_path / path.name).write_text(path.read_text())
    for name in SERVICES:
        (tmp_path / name).write_text((UNITS / name).read_text().replace(PROGRAM, str(program)))

    done = _run("systemd-analyze", "verify", *(tmp_path / name for name in SERVICES + SOCKETS))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_few_rights(name: str) -> None:
    """How systemd rates each service's exposure: 1.3 of 10 at most."""
    done = _run(
        "systemd-analyze",
        "security",
        "--offline=true",
        f"--threshold={MOST_EXPOSURE}",
        UNITS / name,
    )

    assert done.returncode == 0, done.stdout


def test_the_user_is_made_from_the_file(tmp_path: Path) -> None:
    """systemd-sysusers makes a user that owns the state folder and cannot log in."""
    (tmp_path / "etc").mkdir()

    done = _run("systemd-sysusers", f"--root={tmp_path}", UNITS / "tlsrpt-mailer.sysusers.conf")

    assert (done.returncode, _complaints(done.stderr)) == (0, "")
    name, _, _, _, _, home, shell = (tmp_path / "etc/passwd").read_text().strip().split(":")
    assert (name, home) == ("tlsrpt-mailer", "/var/lib/tlsrpt-mailer")
    assert shell == "/usr/sbin/nologin"


def _complaints(text: str) -> str:
    """What systemd-sysusers says beside what it made."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("Creating "))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_as_that_user(name: str) -> None:
    """Service and user file agree, so that the first start does not fail with 217/USER."""
    made = re.findall(r"^u (\S+)", (UNITS / "tlsrpt-mailer.sysusers.conf").read_text(), re.M)

    assert made == _settings(name)["User"]
    assert made == _settings(name)["Group"]


@pytest.mark.parametrize("name", SOCKETS)
def test_a_socket_has_the_name_that_its_comment_says(name: str) -> None:
    """
    The `listen` that a socket unit names in its first line is understood, and is the
    name under which systemd hands the socket over.
    """
    text = (UNITS / name).read_text()
    listen = re.findall(r'listen = "(systemd:\w+)"', text)
    kind = re.findall(r"in an (\w+) source", text)
    config = f'[[source]]\nkind = "{kind[0]}"\nlisten = "{listen[0]}"\nrecipients = ["a@b.c"]\n'

    parse(config, KINDS, name=name)

    assert [listen[0].partition(":")[2]] == _settings(name)["FileDescriptorName"]
    assert _settings(name)["Service"] == ["tlsrpt-mailer.service"]


@pytest.mark.parametrize("name", SERVICES)
def test_the_commands_of_a_service_exist(name: str) -> None:
    """Every command that a unit starts is one that the program has."""
    settings = _settings(name)
    commands = [*settings["ExecStart"], *settings.get("ExecReload", [])]
    own = [command.split()[1:] for command in commands if command.startswith(PROGRAM)]

    answers = [_run(sys.executable, "-m", "tlsrpt_mailer", *words, "--help") for words in own]

    assert own
    assert [0] * len(own) == [answer.returncode for answer in answers]


def test_a_configuration_that_is_wrong_is_not_tried_again() -> None:
    """
    A daemon that crashed is started again, but not one that left with 78: the same
    file would be refused again, and the operator is told at once.
    """
    settings = _settings("tlsrpt-mailer.service")

    assert settings["Restart"] == ["on-failure"]
    assert settings["RestartPreventExitStatus"] == ["78"]
    assert settings["OnFailure"] == ["tlsrpt-mailer-stopped.service"]


SECONDS = {"s": 1, "min": 60, "h": 3600}
A_START = 60
"""Seconds that a start may take that fails in the end."""


def _seconds(settings: dict[str, list[str]], key: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w+)", settings[key][0]).groups()  # type: ignore[union-attr]
    return int(number) * SECONDS[unit]


def test_trouble_that_stays_is_not_tried_for_ever() -> None:
    """
    The tries fit into the time in which systemd counts them, so that it gives up and the operator
    is told, even if each start takes a minute; and a disk that was full for a while is outlasted.
    """
    settings = _settings("tlsrpt-mailer.service")
    tries, pause = int(settings["StartLimitBurst"][0]), _seconds(settings, "RestartSec")

    assert tries * (pause + A_START) < _seconds(settings, "StartLimitIntervalSec")
    assert tries * pause >= 300


def test_one_stop_is_not_told_again_and_again() -> None:
    """Mail that waits at a socket starts the daemon anew: of its failures two are mailed."""
    settings = _settings("tlsrpt-mailer-stopped.service")

    assert settings["StartLimitBurst"] == ["2"]
    assert _seconds(settings, "StartLimitIntervalSec") >= 1800
