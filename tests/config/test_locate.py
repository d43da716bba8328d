"""Where configuration, database and secrets are looked for."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from tlsrpt_mailer import wiring
from tlsrpt_mailer.config import Config, Kinds, database, find, host_name, load, secret
from tlsrpt_mailer.config.locate import MAX_BYTES, SYSTEM_FILE
from tlsrpt_mailer.config.model import Canary, Storage
from tlsrpt_mailer.errors import ConfigError, NoSuch, Temporary


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """Settings with every way to name a secret."""

    password_file: str | None = None
    password_env: str | None = None
    password_command: tuple[str, ...] = ()


KINDS = Kinds(sources={}, mail=Mail)


@pytest.fixture
def nobody():
    """Run as a user to whom permissions apply, and come back."""
    if os.geteuid() == 0:
        os.seteuid(65_534)
        yield
        os.seteuid(0)
    else:
        yield


def test_the_option_wins_over_the_environment_and_the_system(tmp_path: Path):
    """-c is what counts, then the variable, then the system's file."""
    system = tmp_path / "system.toml"
    system.touch()
    environ = {"TLSRPT_MAILER_CONFIG": "/from/environment.toml"}

    assert Path("/from/option.toml") == find(
        "/from/option.toml", environ=environ, system_file=system
    )
    assert Path("/from/environment.toml") == find(None, environ=environ, system_file=system)
    assert system == find(None, environ={}, system_file=system)
    assert find(None, environ={}, system_file=tmp_path / "none.toml") is None


def test_without_any_file_the_defaults_hold(tmp_path: Path):
    """`show` and `import` work on a machine where nothing is set up."""
    config = load(None, KINDS, environ={}, system_file=tmp_path / "none.toml")

    assert Config(mail=Mail()) == config


def test_a_file_that_was_asked_for_and_is_not_there_is_an_error(tmp_path: Path):
    """A slip in -c never runs the program with defaults."""
    with pytest.raises(ConfigError, match="there is no such configuration file"):
        load(tmp_path / "none.toml", KINDS, environ={})


def test_the_file_is_read_and_its_place_remembered(tmp_path: Path):
    """Problems name the file, and relative names start at its folder."""
    path = tmp_path / "config.toml"
    path.write_text('[log]\nlevel = "debug"\n')

    config = load(path, KINDS, environ={})

    assert "debug" == config.log.level
    assert path == config.file


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"#" * (MAX_BYTES + 1), f"is larger than {MAX_BYTES} bytes"),
    ],
)
def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path: Path, content: bytes, problem: str):
    """A binary or endless file is refused with a reason."""
    path = tmp_path / "config.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=problem):
        load(path, KINDS, environ={})


def test_a_folder_is_no_configuration(tmp_path: Path):
    """What the system says about an odd path reaches the operator."""
    with pytest.raises(ConfigError, match="directory"):
        load(tmp_path, KINDS, environ={})


def test_a_file_that_may_not_be_read_is_not_taken_for_absent(tmp_path: Path, nobody: None):
    """A user without the right to look is told so; the defaults would show another database."""
    folder = Path("/root") if os.getuid() == 0 else tmp_path / "closed"
    if not folder.exists():
        folder.mkdir(mode=0)

    with pytest.raises(NoSuch, match="you may not read"):
        find(None, environ={}, system_file=folder / "config.toml")
    with pytest.raises(NoSuch, match="sudo"):
        load(folder / "config.toml", KINDS, environ={})


def test_daemon_and_commands_find_the_same_database(tmp_path: Path):
    """The path of the configuration, else systemd's folder, else the system's, else the user's."""
    here = Config(mail=Mail(), storage=Storage(path="t.db"), file=tmp_path / "config.toml")
    default = Config(mail=Mail())
    state = tmp_path / "state"
    none = tmp_path / "none"

    assert tmp_path / "t.db" == database(here)
    assert state / "tlsrpt.db" == database(default, environ={"STATE_DIRECTORY": f"{state}:/x"})
    assert tmp_path / "tlsrpt.db" == database(default, environ={}, system_state=tmp_path)
    assert state / "tlsrpt-mailer/tlsrpt.db" == database(
        default, environ={"XDG_STATE_HOME": str(state)}, system_state=none
    )
    assert tmp_path / ".local/state/tlsrpt-mailer/tlsrpt.db" == database(
        default, environ={"HOME": str(tmp_path)}, system_state=none
    )


def test_the_system_s_configuration_goes_with_the_system_s_state(tmp_path: Path):
    """
    A command that root runs before the daemon's first start looks where the daemon will,
    not in root's own folder.
    """
    config = Config(mail=Mail(), file=SYSTEM_FILE)
    state = tmp_path / "not there yet"

    assert state / "tlsrpt.db" == database(
        config, environ={"HOME": str(tmp_path)}, system_state=state
    )


def test_the_host_has_a_name():
    """A default sender address can always be made."""
    assert host_name()


# ---------------------------------------------------------------------- secrets


def test_a_secret_comes_from_a_file_beside_the_configuration(tmp_path: Path):
    """The line end that an editor adds is no part of a password."""
    (tmp_path / "pw").write_text("sesame\n")

    found = secret(Mail(password_file="pw"), beside=tmp_path / "config.toml", environ={})

    assert found is not None
    assert "sesame" == found()
    assert "the file pw" == found.origin


def test_a_credential_of_systemd_comes_before_the_file_beside(tmp_path: Path):
    """LoadCredential= wins, so that a unit decides which secret a service sees."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "pw").write_text("from systemd")
    (tmp_path / "pw").write_text("from beside")
    (tmp_path / "other").write_text("other")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}

    first = secret(Mail(password_file="pw"), beside=tmp_path / "c.toml", environ=environ)
    second = secret(Mail(password_file="other"), beside=tmp_path / "c.toml", environ=environ)

    assert first is not None
    assert second is not None
    assert "from systemd" == first()
    assert "other" == second()


def test_a_credential_that_may_not_be_read_is_named(tmp_path: Path, nobody: None):
    """A unit shows its credentials to its service alone; others are told which file it is."""
    closed = Path("/root") if os.getuid() == 0 else tmp_path / "closed"
    if not closed.exists():
        closed.mkdir(mode=0)
    environ = {"CREDENTIALS_DIRECTORY": str(closed)}
    found = secret(Mail(password_file="pw"), beside=tmp_path / "c.toml", environ=environ)
    assert found is not None

    with pytest.raises(ConfigError, match=f"{closed}/pw: Permission denied"):
        found()


def test_a_changed_password_is_seen_at_the_next_call(tmp_path: Path):
    """A rotated password needs no restart."""
    (tmp_path / "pw").write_text("old")
    found = secret(Mail(password_file="pw"), beside=tmp_path / "c.toml", environ={})
    assert found is not None
    assert "old" == found()

    (tmp_path / "pw").write_text("new")

    assert "new" == found()


def test_a_secret_comes_from_the_environment():
    """Containers hand secrets over like this."""
    found = secret(Mail(password_env="PW"), beside=None, environ={"PW": "sesame"})

    assert found is not None
    assert "sesame" == found()
    assert "the environment variable PW" == found.origin


def test_a_secret_comes_from_a_program_without_a_shell(tmp_path: Path):
    """A password manager can be asked; its arguments are never read by a shell."""
    settings = Mail(password_command=("printf", "%s", "$HOME; sesame"))

    found = secret(settings, beside=tmp_path / "c.toml", environ={})

    assert found is not None
    assert "$HOME; sesame" == found()
    assert "the command printf" == found.origin


def test_without_a_secret_there_is_none():
    """A relay without a login needs none."""
    assert secret(Mail(), beside=None, environ={}) is None


def test_a_secret_does_not_show_in_a_traceback(tmp_path: Path):
    """What is printed by accident names the way, not the value."""
    (tmp_path / "pw").write_text("sesame")

    found = secret(Mail(password_file="pw"), beside=tmp_path / "c.toml", environ={})

    assert "Secret(password_file)" == repr(found)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"a\nb", "more than one line"), (b"\xff", "UTF-8")],
)
def test_a_file_without_a_secret_in_it_is_a_problem(tmp_path: Path, content: bytes, problem: str):
    """An empty or binary file is named, and nothing of it is printed."""
    (tmp_path / "pw").write_bytes(content)
    found = secret(Mail(password_file="pw"), beside=tmp_path / "c.toml", environ={})
    assert found is not None

    with pytest.raises(ConfigError, match=problem):
        found()


def test_a_private_key_has_several_lines(tmp_path: Path):
    """As openssl writes it; what is no text is none."""
    key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----"
    (tmp_path / "key").write_text(f"{key}\n")
    found = secret(Canary(key_file="key"), "key", beside=tmp_path / "c.toml", environ={})
    assert found is not None

    assert key == found()
    (tmp_path / "key").write_bytes(b"one\n\x00two\n")
    with pytest.raises(ConfigError, match="key_file: the file key is no text"):
        found()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (Mail(password_file="none"), "No such file"),
        (Mail(password_env="NONE"), "is empty or not there"),
        (Mail(password_command=("/no/such/program",)), "No such file"),
    ],
)
def test_a_secret_that_is_not_there_is_a_problem(tmp_path: Path, settings: Mail, problem: str):
    """A wrong name stops the start, with the name in the message."""
    found = secret(settings, beside=tmp_path / "c.toml", environ={})
    assert found is not None

    with pytest.raises(ConfigError, match=problem):
        found()


def test_a_program_that_fails_is_asked_again_and_its_output_not_shown():
    """A helper that fails for a moment is temporary trouble; what it prints stays out of logs."""
    command = ("sh", "-c", "echo sesame; echo sesame >&2; exit 3")
    found = secret(Mail(password_command=command), beside=None, environ={})
    assert found is not None

    with pytest.raises(Temporary, match="sh exited with 3") as caught:
        found()
    assert "sesame" not in str(caught.value)


def test_a_program_that_hangs_is_given_up():
    """A helper that waits for a person does not hold up the daemon."""
    found = secret(Mail(password_command=("sleep", "60")), beside=None, environ={})
    assert found is not None

    with pytest.raises(Temporary, match="took over"):
        found(timeout=0)


def test_a_secret_file_needs_no_rights_for_others(tmp_path: Path):
    """Mode 0600 is enough."""
    path = tmp_path / "pw"
    path.write_text("sesame")
    path.chmod(0o600)

    found = secret(Mail(password_file=str(path)), beside=None, environ={})

    assert found is not None
    assert "sesame" == found()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_files_lie_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A relative name means the same file wherever the program is started; absolute ones stay."""
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "etc/config.toml"
    path.write_text(
        '[checks]\nca_file = "ca.pem"\n'
        '[[source]]\nkind = "smtp"\nlisten = "127.0.0.1:2525"\n'
        'recipients = ["t@example.com"]\ntls_cert = "c.pem"\ntls_key = "k.pem"\n'
        '[[source]]\nkind = "imap"\nhost = "imap.example.com"\nusername = "x"\n'
        'password_env = "X"\nca_file = "/other/ca.pem"\n'
        '[[channel]]\nkind = "webhook"\nurl = "https://hooks.example.com/"\n'
        'ca_file = "sub/ca.pem"\n'
        '[alerts.smtp]\nca_file = "ca.pem"\n'
    )

    for option in (path, "etc/config.toml"):
        found = load(option, wiring.KINDS)
        names = [
            found.checks.ca_file,
            found.source[0].settings.tls_cert,  # type: ignore[attr-defined]  # of SMTP
            found.source[0].settings.tls_key,  # type: ignore[attr-defined]  # likewise
            found.source[1].settings.ca_file,  # type: ignore[attr-defined]  # IMAP's
            found.channel[0].settings.ca_file,  # type: ignore[attr-defined]  # a webhook's
            found.mail.ca_file,  # type: ignore[attr-defined]  # the relay's
        ]
        beside = f"{tmp_path}/etc"
        assert [
            f"{beside}/ca.pem",
            f"{beside}/c.pem",
            f"{beside}/k.pem",
            "/other/ca.pem",
            f"{beside}/sub/ca.pem",
            f"{beside}/ca.pem",
        ] == names
