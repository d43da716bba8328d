"""Commands that do something: once, alerts, config, prune, backup, run."""

import os
import pty
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import mails
from tests.cli.conftest import Place
from tlsrpt_mailer import wiring
from tlsrpt_mailer.cli import importing, opening
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.errors import NoSuch, Temporary
from tlsrpt_mailer.store.trouble import NotAllowed


class Relay:
    """A mail server for tests: takes or refuses everything, and keeps it."""

    def __init__(self, answer: bytes) -> None:
        self.taken: list[bytes] = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            with peer, peer.makefile("rwb") as stream:
                self._talk(stream)

    def _talk(self, stream) -> None:
        stream.write(b"220 relay\r\n")
        stream.flush()
        for line in stream:
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                stream.write(b"354 go on\r\n")
                stream.flush()
                self.taken.append(b"".join(iter(stream.readline, b".\r\n")))
                stream.write(self._answer)
            else:
                stream.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            stream.flush()


@pytest.fixture
def relay() -> Iterator[Relay]:
    server = Relay(b"250 2.0.0 taken\r\n")
    yield server
    server.close()


def with_relay(place: Place, port: int, more: str = "") -> None:
    place.configure(
        f'{more}[alerts]\nto = ["postmaster@example.com"]\n[alerts.smtp]\nport = {port}\n'
    )


def test_once_does_a_whole_round(full: Place, relay: Relay):
    """Reports in, alerts out, and the second round has nothing left to say."""
    with_relay(full, relay.port)

    first = full("once")
    second = full("once")

    assert 0 == first.code
    assert "2 alerts written, 2 sent, 0 deferred, 0 refused" in first.out
    assert "postmaster@example.com: CRITICAL 2 domains: certificate expired" in first.out
    assert "0 alerts written, 0 sent" in second.out
    assert 2 == len(relay.taken)


def test_once_says_what_did_not_work(full: Place, tmp_path: Path):
    """A source or relay that cannot be reached is code 69, and named."""
    with_relay(full, 1, f'[[source]]\nkind = "maildir"\npath = "{tmp_path / "none"}"\n')

    result = full("once")

    assert 69 == result.code
    assert "maildir:" in result.err


def test_once_from_cron_says_only_what_went_wrong(full: Place, relay: Relay, tmp_path: Path):
    """Cron mails whatever is printed: nothing where all went well, the trouble where it did not."""
    with_relay(full, relay.port)
    well = full("once", "--quiet")
    with_relay(full, 1, f'[[source]]\nkind = "maildir"\npath = "{tmp_path / "none"}"\n')
    badly = full("once", "-q")

    assert (0, "", "") == (well.code, well.out, well.err)
    assert 2 == len(relay.taken)
    assert (69, "") == (badly.code, badly.out)
    assert "No such file or directory" in badly.err


def test_once_by_another_user_is_told_the_whole_command(
    full: Place, monkeypatch: pytest.MonkeyPatch
):
    """What to try can be pasted."""
    monkeypatch.setattr("os.access", lambda *_, **__: False)

    result = full("once")

    assert 1 == result.code
    assert f"Try: sudo tlsrpt-mailer -c {full.config} " in result.err
    assert result.err.endswith(" once\n")


@pytest.mark.servers
def test_a_database_that_root_left_in_the_daemons_folder_is_given_back(full: Place):
    """More rights help no service: the file gets the owner of its folder again."""
    os.chown(full.database, 65_534, 65_534)

    with (
        pytest.raises(NoSuch, match=f"Try: sudo chown -R root {full.database.parent}"),
        opening.plain_words(Config(mail=wiring.KINDS.mail())),
    ):
        raise NotAllowed(full.database)


def test_once_reads_a_maildir(place: Place):
    """Cron and a Maildir are all that a small host needs."""
    for name in ("new", "cur", "tmp"):
        (place.folder / "m" / name).mkdir(parents=True)
    (place.folder / "m/new/1").write_bytes(mails.mail(mails.report(details=())))
    place.configure(f'[[source]]\nkind = "maildir"\npath = "{place.folder / "m"}"\n')

    result = place("once")

    assert 0 == result.code, result.err
    assert 1 == len(place("reports", "--json").json)


def test_time_does_not_go_back_unless_forced(full: Place):
    """--now before what the database has seen is refused; --force is for those who mean it."""
    back = full("prune", now="2026-11-01")
    forced = full("--force", "prune", now="2026-11-01")

    assert 78 == back.code
    assert "Say --force" in back.err
    assert 0 == forced.code


def test_prune_says_how_much_went(full: Place):
    """What is older than the configuration keeps is dropped, and counted."""
    nothing = full("prune")
    later = full("prune", now="2028-06-01")

    assert "Dropped: nothing, all of it is younger\n" == nothing.out
    assert later.out.startswith("Dropped: 9 reports")
    assert 0 == len(full("reports", "--json").json)


def test_a_backup_is_a_whole_database(full: Place, tmp_path: Path):
    """The copy can be read at once; nothing is ever written over."""
    target = tmp_path / "copy.db"

    first = full("backup", str(target))
    again = full("backup", str(target))

    assert (0, 73) == (first.code, again.code)
    assert 0o600 == stat.S_IMODE(target.stat().st_mode)
    assert (9,) == sqlite3.connect(target).execute("SELECT count(*) FROM reports").fetchone()
    assert 73 == full("backup", str(tmp_path / "no/folder/copy.db")).code


def test_an_alert_is_shown_as_its_receiver_reads_it(full: Place, relay: Relay):
    """Text, bytes and the relay's answer are there afterwards."""
    with_relay(full, relay.port)
    full("once")

    shown = full("alerts", "show", "1")

    assert "Subject: CRITICAL 2 domains: certificate expired on mx1.example.com [tlsrpt 1]" in (
        shown.out
    )
    assert "Senders refuse mail for 2 domains at mx1.example.com." in shown.out
    assert "sent, today at 12:00Z (just now), 1 try" in shown.out
    assert "answer: 250 2.0.0 taken" in shown.out
    assert "sent" in full("alerts").out
    assert "2 mails" in full("alerts", "--all").out
    assert full("alerts", "show", "1", "--raw").out.startswith("From: TLS reports <")


def test_an_alert_that_waits_says_until_when(full: Place):
    """What the relay said, and when it is tried again."""
    with_relay(full, 1)
    full("once")

    out = full("alerts", "show", "1").out

    assert "waiting, 1 try" in out
    assert "Connection refused" in out
    assert "next try: 23 Nov 12:01Z" in out


def test_an_alert_is_sent_again_with_the_same_bytes(full: Place, relay: Relay):
    """Whoever lost a mail gets the very same one."""
    with_relay(full, relay.port)
    full("once")
    before = relay.taken[:]

    result = full("alerts", "resend", "1")
    waits = full("alerts", "show", "1").out
    full("once")

    assert "1 waits for delivery" in result.out
    assert "waiting again since today at 12:00Z (just now), 0 tries\n" in waits
    assert "answer before: 250 2.0.0 taken\n" in waits
    assert 3 == len(relay.taken)
    assert relay.taken[2] in before


def test_a_test_alert_goes_out_at_once(place: Place, relay: Relay):
    """The way to the recipient is proved before anything breaks; no database is needed."""
    with_relay(place, relay.port)

    result = place("alerts", "test")
    other = place("alerts", "test", "--to", "ana@example.com")

    assert (0, "postmaster@example.com: 250 2.0.0 taken\n") == (result.code, result.out)
    assert "ana@example.com: 250 2.0.0 taken\n" == other.out
    assert b"This is a test: nothing is broken." in relay.taken[0]
    assert not place.database.exists()


def test_a_test_alert_that_fails_is_69_with_the_reason(place: Place):
    """What the relay said, or that there is none."""
    refusing = Relay(b"550 5.7.1 no relaying\r\n")
    with_relay(place, refusing.port)
    refused = place("alerts", "test")
    refusing.close()
    with_relay(place, 1)
    down = place("alerts", "test")
    place.configure("[alerts]\n")
    nobody = place("alerts", "test")

    assert (69, 69, 78) == (refused.code, down.code, nobody.code)
    assert "550 5.7.1 no relaying" in refused.err
    assert "Connection refused" in down.err
    assert "alerts.to is empty" in nobody.err


# --------------------------------------------------------------- configuration


def test_a_right_configuration_is_said_to_be_right(place: Place):
    """One line a part: where the database is, what comes in, who is told."""
    (place.folder / "pw").write_text("sesame\n")
    place.configure(
        '[[source]]\nkind = "imap"\nhost = "imap.example.com"\nusername = "tlsrpt"\n'
        'password_file = "pw"\n'
    )

    result = place("config", "check")

    assert 0 == result.code
    assert f"{place.config}: right\n" in result.out
    assert f"  database  {place.database}\n" in result.out
    assert "  source    imap:tlsrpt@imap.example.com\n" in result.out
    assert "  alerts    to postmaster@example.com\n" in result.out
    assert "\n  trust     " in result.out


@pytest.mark.parametrize(
    ("trust", "said"),
    [
        ('dkim = "off"', "reports are not authenticated (trust.dkim is off)"),
        ('dkim = "require"', "only reports count that the reporting domain signed"),
        ('dkim = "mark"', "reports that the reporting domain did not sign count as unverified"),
        (
            'dkim = "require"\nauthserv_ids = ["MX", "-"]',
            "only reports count that the reporting domain signed; what mx, - found is believed",
        ),
    ],
)
def test_config_check_says_which_reports_count(place: Place, trust: str, said: str):
    """Whoever checks his configuration reads what it means for forged mail."""
    place.configure(f"[trust]\n{trust}\n")

    assert f"  trust     {said}\n" in place("config", "check").out


def test_files_that_are_not_there_are_found_before_the_start(place: Place):
    """A missing password or certificate is one of the problems, listed with the others."""
    place.configure(
        '[[source]]\nkind = "imap"\nhost = "h"\nusername = "u"\npassword_file = "none"\n'
        'ca_file = "/no/such/ca.pem"\n'
        '[[source]]\nkind = "imap"\nhost = "h"\nusername = "u"\npassword_command = ["x"]\n'
    )

    missing, gone = place.folder / "none", "No such file or directory"

    result = place("config", "check")

    assert 78 == result.code
    assert [
        f"tlsrpt-mailer: config.toml: source[0].password_file: {missing}: {gone}",
        "config.toml: source[0].ca_file: there is no file /no/such/ca.pem",
        "config.toml: source[1]: imap:u@h stands there already",
        "config.toml: 3 problems, nothing started",
    ] == result.err.splitlines()


def test_folders_that_are_not_there_yet_are_a_warning(place: Place):
    """They may come before the start, so the configuration is right; but it is said."""
    place.config.write_text(
        '[storage]\npath = "config.toml/tlsrpt.db"\n'
        '[[source]]\nkind = "maildir"\npath = "/no/such/Maildir"\n'
    )

    result = place("config", "check")

    assert 0 == result.code
    assert "  warning   source[0].path: there is no folder /no/such/Maildir\n" in result.out
    assert f"storage.path: there can be no folder {place.config}: it is a file\n" in result.out


def test_the_relay_has_a_name(place: Place):
    """An empty host would be this machine by accident."""
    place.configure('[alerts]\n[alerts.smtp]\nhost = ""\n')

    result = place("config", "check")

    assert 78 == result.code
    assert "alerts.smtp: host must not be empty" in result.err


def test_the_configuration_shown_is_right(place: Place):
    """`config show` into a file, `config check` of that file."""
    (place.folder / "pw").write_text("sesame\n")
    place.configure('[[source]]\nkind = "imap"\nhost = "h"\nusername = "u"\npassword_file = "pw"\n')
    shown = place("config", "show").out
    place.config.write_text(shown)

    assert 0 == place("config", "check").code


def test_a_configuration_without_a_file_is_the_defaults(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """Nothing to be configured is no error, but it is said."""
    monkeypatch.setattr("tlsrpt_mailer.cli.opening.config.load", _defaults)

    result = place.bare("config", "check")

    assert 0 == result.code
    assert "none found (-c, $TLSRPT_MAILER_CONFIG, /etc/tlsrpt-mailer); the defaults hold" in (
        result.out
    )
    assert "source    none: nothing comes in but by import" in result.out
    assert "to nobody: alerts go to the log and the terminal" in result.out
    assert place.bare("config", "show").out.startswith("# none found")


def _defaults(_option: object, kinds: object):
    from tlsrpt_mailer.config.parse import defaults  # noqa: PLC0415

    return defaults(kinds)  # type: ignore[arg-type]  # as it was handed in


def test_the_configuration_in_force_is_shown(place: Place):
    """With defaults, and with where the database is."""
    out = place("config", "show").out

    assert f"# {place.config}\n# database: {place.database}\n[storage]\n" in out
    assert 'keep = "400d"' in out


# --------------------------------------------------------------- import and run


def test_a_bar_is_drawn_on_a_terminal_only(place: Place):
    """A terminal sees how far it is; a log file does not see the drawing."""
    path = place.mail("a.eml", mails.mail(mails.report()))
    quiet = place("import", str(path))
    words = ["-c", str(place.config), "import", str(path)]
    ours, terminal = pty.openpty()

    with closing(os.fdopen(ours, "rb", buffering=0)) as seen:
        drawn = subprocess.run(
            [sys.executable, "-m", "tlsrpt_mailer", *words],
            check=True,
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=os.environ | {"TERM": "xterm"},
        )
        os.close(terminal)
        bar = seen.read(4096)

    assert ("", "1 mail: 1 report stored\n") == (quiet.err, quiet.out)
    assert b"reading" in bar
    assert b"1 mail: 1 duplicate\n" == drawn.stdout


def test_a_summary_reads_well():
    """Singular and plural, and nothing said of what did not happen."""
    counts = importing.Counter(mails=14, stored=9, duplicate=2, ignored=3)
    few = importing.Counter(mails=2, stored=1, ignored=1)

    assert "14 mails: 9 reports stored, 2 duplicates, 3 not TLS reports" == importing.summary(
        counts
    )
    assert "2 mails: 1 report stored, 1 not a TLS report" == importing.summary(few)
    assert "0 mails: nothing in them" == importing.summary(importing.Counter())


def test_trouble_of_ours_is_75_and_counted_as_not_taken(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """When the database cannot take a mail, the command says to try again, and why."""
    path = place.mail("a.eml", mails.mail(mails.report()))

    def full_disk(*_: object) -> None:
        raise Temporary("no space left")

    monkeypatch.setattr("tlsrpt_mailer.store.ledger.put", full_disk)

    result = place("import", str(path), "--json")
    monkeypatch.undo()
    again = place("quarantine")

    assert 75 == result.code
    assert 1 == result.json["failed"]
    assert "no space left" in result.err
    assert "Quarantine is empty.\n" == again.out


def test_run_is_the_daemon_and_stops_when_told(place: Place):
    """SIGTERM ends it with 0; what it logs is on standard error."""
    place.configure("")
    command = [sys.executable, "-m", "tlsrpt_mailer", "-c", str(place.config), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as daemon:
        assert daemon.stderr is not None
        started = b""
        deadline = time.monotonic() + 30
        while b"daemon.started" not in started and time.monotonic() < deadline:
            started = daemon.stderr.readline()
        second = place("once", now=None)
        status = place("status", now=None)
        daemon.send_signal(signal.SIGTERM)
        out, _ = daemon.communicate(timeout=30)

    assert (0, b"") == (daemon.returncode, out)
    assert 75 == second.code
    assert f"pid {daemon.pid}" in second.err
    assert f"runs as process {daemon.pid}" in status.out
