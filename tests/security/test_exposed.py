"""`config check` names what more people may read or write than is good."""

from pathlib import Path

import pytest

from tests.cli.conftest import Place

CONFIG = """
[[source]]
kind = "imap"
host = "imap.example.com"
username = "reports"
password_file = "password"
[alerts]
to = ["postmaster@example.com"]
from = "tlsrpt@example.com"
[alerts.smtp]
host = "relay.example.com"
security = "starttls"
username = "alerts"
password_command = ["{program}", "relay"]
"""


@pytest.fixture
def place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Place:
    """A place whose configuration names a file with a secret and a program."""
    here = Place(tmp_path, capfd)
    here.configure(CONFIG.format(program=tmp_path / "program"))
    for name, mode in (("password", 0o640), ("program", 0o755), ("config.toml", 0o644)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "password").write_text("secret\n")
    return here


def _warnings(place: Place) -> list[str]:
    done = place("config", "check", "--json")
    assert done.code == 0, done.err
    return [line for line in done.json["warnings"] if " may " in line]


def test_modes_that_are_as_they_should_be_are_not_spoken_of(place: Place) -> None:
    """A secret that its group may read, and a program that everybody may run, are fine."""
    assert _warnings(place) == []


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("password", 0o644, "source[0].password_file: everybody on this machine may read "),
        ("program", 0o775, "alerts.smtp.password_command: others may write to "),
        ("program", 0o757, "alerts.smtp.password_command: others may write to "),
        ("config.toml", 0o664, "configuration: others may write to "),
    ],
)
def test_what_stands_open_is_named(place: Place, name: str, mode: int, said: str) -> None:
    """A secret that everybody may read; a program or configuration that others may change."""
    (place.folder / name).chmod(mode)

    (warning,) = _warnings(place)

    assert warning.startswith(f"{said}{place.folder / name}")


def test_a_database_that_everybody_may_read(place: Place) -> None:
    """The program makes it with mode 0600; whoever opened it since is told."""
    mail = place.mail("x.json", b"{}")
    place("import", str(mail))
    assert _warnings(place) == []
    place.database.chmod(0o644)

    (warning,) = _warnings(place)

    assert warning == f"storage.path: everybody on this machine may read {place.database}"


def test_a_key_that_everybody_may_read(place: Place) -> None:
    """The key of a listener is a secret too."""
    for name in ("chain", "key"):
        (place.folder / name).touch()
        (place.folder / name).chmod(0o644)
    place.configure(
        '[[source]]\nkind = "smtp"\nlisten = "127.0.0.1:2525"\nrecipients = ["a@example.com"]\n'
        f'tls_cert = "{place.folder}/chain"\ntls_key = "{place.folder}/key"\n'
    )

    (warning,) = _warnings(place)

    assert warning == f"source[0].tls_key: everybody on this machine may read {place.folder}/key"
