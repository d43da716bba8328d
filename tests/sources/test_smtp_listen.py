"""Where a listener listens: TCP, unix sockets, sockets from systemd."""

import grp
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest

from tests.e2e.waiting import until
from tests.sources.listeners import MAIL, Client, Running, Store, listening
from tlsrpt_mailer.errors import CannotWrite, ConfigError
from tlsrpt_mailer.sources.listen import Access, Passed, Tcp, Unix, bind, parse_listen
from tlsrpt_mailer.sources.smtp import ListenerSource, Settings

NOBODY = pwd.getpwnam("nobody")
GROUP = grp.getgrgid(NOBODY.pw_gid).gr_name


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("127.0.0.1:8825", Tcp("127.0.0.1", 8825)),
        ("localhost:25", Tcp("127.0.0.1", 25)),
        ("[::1]:8825", Tcp("::1", 8825)),
        ("0.0.0.0:25", Tcp("0.0.0.0", 25)),
        ("/run/x", Unix("/run/x")),
        ("systemd", Passed(None)),
        ("systemd:lmtp", Passed("lmtp")),
    ],
)
def test_the_forms_of_listen(text, where):
    """Each form that the reference names is understood."""
    assert parse_listen(text) == where


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must be"),
        ("8825", "must be"),
        ("::1:8825", "must be"),
        ("mail.example.com:25", "must be an IP address"),
        ("127.0.0.1:65536", "greater than 65535"),
        ("relative/socket", "must be"),
        ("/" + "x" * 107, "at most 107 bytes"),
    ],
)
def test_what_listen_cannot_be(text, why):
    """A wrong value is refused with the forms that there are; no name is ever looked up."""
    with pytest.raises(ValueError, match=why):
        parse_listen(text)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"listen": "nowhere"}, "must be"),
        ({"recipients": []}, "at least one"),
        ({"recipients": ["no-address"]}, "must be an address"),
        ({"recipients": ["two words@example.com"]}, "must be an address"),
        ({"tls_cert": "/x"}, "one without the other"),
        ({"tls_key": "/x"}, "one without the other"),
        ({"mode": "0888"}, "mode"),
        ({"max_size": 1}, "max_size"),
        ({"timeout": 0}, "timeout"),
        ({"postmaster_to": "root"}, "must be an address"),
        ({"forward_ignored_to": "tlsrpt+x@example.com"}, "mail would go round"),
        ({"postmaster_to": "postmaster@example.com"}, "mail would go round"),
        ({"lisen": "127.0.0.1:1"}, "lisen"),
    ],
)
def test_settings_that_cannot_be(wrong, why):
    """A setting that cannot work is refused when the configuration is read."""
    right = {"listen": "127.0.0.1:0", "recipients": ["tlsrpt@example.com"]}

    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(right | wrong, Settings)


def test_all_that_is_wrong_with_a_listener_is_said_at_once():
    """Each problem names its key, and none hides another."""
    wrong = {"listen": "x", "recipients": [], "tls_cert": "/c"}

    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(wrong, Settings)

    said = str(caught.value)
    assert said.startswith('listen: "x" must be')
    assert "; recipients: must name at least one address; tls_cert and tls_key: " in said


def test_a_port_that_is_taken_is_said_at_the_start():
    """Two daemons on one port: the second says so and does not start."""
    with listening() as lmtp:
        settings = Settings(listen=f"127.0.0.1:{lmtp.port}", recipients=("a@b.example",))

        with pytest.raises(CannotWrite, match=f"port {lmtp.port}: Address already in use"):
            ListenerSource("lmtp", settings, lambda: 0).open()


def test_connections_before_the_start_wait():
    """Between binding and serving nobody is turned away: the greeting comes a moment later."""
    settings = Settings(listen="127.0.0.1:0", recipients=("tlsrpt@example.com",))
    source = ListenerSource("lmtp", settings, lambda: 0)
    source.open()
    client = Client(source.ports[0])
    running = Running(source, Store())

    assert client.greet().deliver()[0].startswith("250")
    running.stop()


def test_the_any_address_of_ipv6_takes_ipv4_as_well():
    """One listener on [::]:25 is enough for both kinds of peers, and 127.0.0.1 is still local."""
    with listening("smtp", listen="[::]:0", max_connections_per_peer=1) as smtp:
        four, also_four = (Client(smtp.port).greet("EHLO x") for _ in range(2))

        assert four.deliver()[0].startswith("250")
        assert also_four.deliver()[0].startswith("250")


def test_a_unix_socket(tmp_path):
    """Only its owner and its group may connect, and it goes when the listener goes."""
    path = tmp_path / "lmtp"
    with listening(listen=str(path), max_connections_per_peer=1) as lmtp:
        about = path.stat()
        clients = [Client(str(path)).greet() for _ in range(3)]

        assert stat.S_ISSOCK(about.st_mode)
        assert stat.S_IMODE(about.st_mode) == 0o660
        assert [client.deliver()[0][:3] for client in clients] == ["250"] * 3
        assert lmtp.store.mails[0].source == f"lmtp:{path}"
    assert not path.exists()


@pytest.mark.servers
def test_owner_group_and_mode_of_a_unix_socket(tmp_path):
    """The socket can be given to the user and the group of the MTA."""
    path = tmp_path / "lmtp"
    with listening(listen=str(path), owner="nobody", group=GROUP, mode="0600"):
        about = path.stat()

        assert (about.st_uid, about.st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
        assert stat.S_IMODE(about.st_mode) == 0o600


@pytest.mark.parametrize(
    ("access", "why"), [({"owner": "no-one"}, "user"), ({"group": "x y"}, "group")]
)
def test_an_owner_that_does_not_exist(access, why, tmp_path):
    """A typing error in owner or group is said, and leaves no socket that anybody may use."""
    with pytest.raises(ConfigError, match=f"there is no {why}"):
        bind(Unix(str(tmp_path / "lmtp")), Access(**access))
    assert list(tmp_path.iterdir()) == []


def test_the_socket_of_a_killed_process_is_replaced(tmp_path):
    """After kill -9 the daemon starts again though its socket is still there."""
    path = tmp_path / "lmtp"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()

    with listening(listen=str(path)):
        assert Client(str(path)).greet().deliver()[0].startswith("250")


def test_a_living_socket_and_other_files_are_left_alone(tmp_path):
    """Neither another program's socket nor a file at that place is ever removed."""
    path, file = tmp_path / "lmtp", tmp_path / "file"
    file.write_text("precious")
    with listening(listen=str(path)):
        with pytest.raises(CannotWrite, match="another process listens there"):
            bind(Unix(str(path)), Access())
        with pytest.raises(CannotWrite, match="no socket"):
            bind(Unix(str(file)), Access())
        with pytest.raises(CannotWrite, match="Not a directory"):
            bind(Unix(str(file / "lmtp")), Access())

        assert Client(str(path)).greet().deliver()[0].startswith("250")
    assert file.read_text() == "precious"


def test_a_socket_that_took_our_place_is_left_alone(tmp_path):
    """A new daemon that has bound the same path already keeps its socket when the old one ends."""
    path = tmp_path / "lmtp"
    bound = bind(Unix(str(path)), Access())
    path.unlink()
    new = bind(Unix(str(path)), Access())
    bound.close()

    assert path.exists()
    path.unlink()
    new.close()


def test_a_folder_that_is_not_there(tmp_path):
    """The path of the socket stands in what is said."""
    with pytest.raises(CannotWrite, match=r"missing/lmtp: No such file"):
        bind(Unix(str(tmp_path / "missing" / "lmtp")), Access())


@pytest.mark.servers
def test_a_folder_that_may_not_be_written():
    """The text says what the way out is: a systemd socket unit."""
    script = (
        "import os, sys\n"
        "from tlsrpt_mailer.errors import CannotWrite\n"
        "from tlsrpt_mailer.sources.listen import Access, Unix, bind\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: bind(Unix(sys.argv[1]), Access())\n"
        "except CannotWrite as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", script, f"{folder}/lmtp"],
            capture_output=True,
            text=True,
            check=True,
        )

    assert "Permission denied" in done.stdout
    assert "a systemd socket unit can" in done.stdout


SERVE = """
import signal, sys, threading
from tests.sources.listeners import Health, Store
from tlsrpt_mailer.sources.smtp import ListenerSource, Settings
source = ListenerSource(
    "lmtp", Settings(listen=sys.argv[1], recipients=("tlsrpt@example.com",)), lambda: 0
)
source.open()
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
source.run(Store().deliver, Health(), stop)
# A reload makes a new source from the same sockets.
again = ListenerSource("lmtp", Settings(listen=sys.argv[1], recipients=("a@b.c",)), lambda: 0)
again.open()
again.close()
print("bound again", flush=True)
"""


@pytest.mark.servers
def test_a_socket_from_systemd(tmp_path):
    """A socket unit hands a socket over, by name; after a reload it is still there."""
    activate = shutil.which("systemd-socket-activate")
    assert activate is not None
    path = tmp_path / "lmtp"
    process = subprocess.Popen(
        [
            activate,
            f"--listen={path}",
            "--fdname=lmtp",
            sys.executable,
            "-c",
            SERVE,
            "systemd:lmtp",
        ],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": "."},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until(path.exists, "the socket is there")
        client = Client(str(path)).greet()
        answer = client.deliver(MAIL)[0]
        process.terminate()
        out, _ = process.communicate(timeout=10)
    finally:
        process.kill()

    assert answer.startswith("250")
    assert "bound again" in out


def test_a_socket_from_systemd_that_is_not_there():
    """The text says which names there are, or that systemd did not start us."""
    ours = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}

    with pytest.raises(ConfigError, match="no systemd socket unit started this process"):
        bind(Passed("lmtp"), Access(), {})
    with pytest.raises(ConfigError, match='no socket named "lmtp", but: none'):
        bind(Passed("lmtp"), Access(), ours)
    named = ours | {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "smtp"}
    with pytest.raises(ConfigError, match="but: smtp, unknown"):
        bind(Passed("lmtp"), Access(), named)


def test_a_socket_that_was_passed_is_copied(monkeypatch):
    """Closing a listener leaves systemd's own socket open, so that a reload finds it again."""
    passed = socket.socket()
    passed.bind(("127.0.0.1", 0))
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "lmtp"}
    monkeypatch.setattr("tlsrpt_mailer.sources.listen.FIRST_PASSED_FD", passed.fileno())
    for where in (Passed(None), Passed("lmtp")):
        bound = bind(where, Access(), environ)
        assert bound.sockets[0].getsockname() == passed.getsockname()
        bound.close()

    assert passed.fileno() >= 0
    passed.close()


def test_a_datagram_socket_cannot_be_listened_on(monkeypatch):
    """A socket unit with ListenDatagram= is a wrong configuration, and that is said."""
    passed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    monkeypatch.setattr("tlsrpt_mailer.sources.listen.FIRST_PASSED_FD", passed.fileno())

    with pytest.raises(ConfigError, match="not ListenStream="):
        bind(Passed(None), Access(), environ)
    passed.close()


def test_a_socket_that_cannot_be_removed_at_the_end_is_no_trouble(tmp_path):
    """Whoever removed the socket's folder meanwhile does not make the stop fail."""
    folder = tmp_path / "run"
    folder.mkdir()
    bound = bind(Unix(str(folder / "lmtp")), Access())
    shutil.rmtree(folder)
    bound.close()

    assert not folder.exists()


def test_a_socket_closed_under_us_is_noticed():
    """If the loop cannot begin, the source says so to the daemon, which starts it anew."""
    source = ListenerSource(
        "lmtp", Settings(listen="127.0.0.1:0", recipients=("a@b.example",)), lambda: 0
    )
    source.open()
    os.close(source.sockets[0].detach())
    running = Running(source, Store())
    until(lambda: not running.is_alive(), "run returned")

    assert isinstance(running.error, RuntimeError)


def test_a_source_that_ran_into_trouble_binds_again():
    """The daemon starts a source anew after an error of ours; it listens again then."""
    with listening() as lmtp:
        reception = until(lambda: lmtp.source.reception, "it runs")
        reception.finish()
        until(lambda: not lmtp.is_alive(), "run returned")
        lmtp.start()
        until(lambda: lmtp.source.ports, "it is bound")

        assert Client(lmtp.port).greet().deliver()[0].startswith("250")


def test_closing_before_the_start_and_twice():
    """A daemon that is stopped while it starts leaves no port bound."""
    settings = Settings(listen="127.0.0.1:0", recipients=("tlsrpt@example.com",))
    source = ListenerSource("lmtp", settings, lambda: 0)
    source.open()
    source.close()
    source.close()

    assert not source.is_listening
    with listening(store=Store()) as lmtp:
        lmtp.stop()
        assert not lmtp.source.is_listening
