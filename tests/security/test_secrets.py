"""A secret is told to the server that it is for, and to nobody else."""

import base64
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.daemon import Site, running
from tests.e2e.stories import failing
from tests.e2e.waiting import until
from tests.ports import free_port
from tlsrpt_mailer.config.secret import without

WORDS = {
    "imap": "canary-imap 5e1f%",
    "relay": "canary-relay 77ab%",
    "fallback": "canary-fallback-90cd",
    "hook": "canary-hook-secret-12de",
    "path": "canary-path-3f4a",
    "ping": "canary-ping-6b7c",
    "command": "canary-command-8d9e",
}


class _Parrot(socketserver.StreamRequestHandler):
    """Greets as a mail server would, and says back whatever it is told, as an error."""

    def handle(self) -> None:
        self.wfile.write(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        for line in self.rfile:
            tag = line.split(b" ", 1)[0].strip()
            answer = b" OK done\r\n" if b"CAPABILITY" in line else b" NO [ALERT] " + line
            self.wfile.write(b"* CAPABILITY IMAP4rev1\r\n" + tag + answer.rstrip() + b"\r\n")


class _PoliteParrot(socketserver.StreamRequestHandler):
    """An SMTP relay that offers a login and says back what it is told."""

    def handle(self) -> None:
        self.wfile.write(b"220 relay ESMTP\r\n")
        for line in self.rfile:
            if line.upper().startswith(b"EHLO"):
                self.wfile.write(b"250-relay\r\n250 AUTH PLAIN\r\n")
            else:
                self.wfile.write(b"535 5.7.8 wrong: " + line.strip() + b"\r\n")


@contextmanager
def _parrot(kind: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def _configure(site: Site, imap: int, relay: int, log_format: str) -> dict[str, str]:
    """A part of each kind with its secret; returns the environment that it needs."""
    folder = site.folder
    for name, text in {
        "imap": WORDS["imap"],
        "hook": WORDS["hook"],
        "url": f"http://127.0.0.1:{free_port()}/{WORDS['path']}",
        "ping": f"http://127.0.0.1:{free_port()}/{WORDS['ping']}",
    }.items():
        (folder / name).write_text(f"{text}\n")
        (folder / name).chmod(0o600)
    site.config.write_text(
        f'''[storage]
path = "{site.database}"
[log]
level = "debug"
format = "{log_format}"
[trust]
dkim = "off"
[checks]
schedule = "off"
[[source]]
kind = "imap"
host = "127.0.0.1"
port = {imap}
security = "none"
username = "reports"
password_file = "imap"
poll = "10s"
[alerts]
to = ["postmaster@example.com"]
from = "tlsrpt@mail.example.com"
group_wait = "0s"
[alerts.smtp]
host = "127.0.0.1"
port = {relay}
security = "none"
username = "alerts"
password_env = "RELAY_PASSWORD"
[[channel]]
kind = "webhook"
name = "hook"
url_file = "url"
secret_file = "hook"
[[channel]]
kind = "email"
name = "fallback"
to = ["postmaster@example.com"]
host = "127.0.0.1"
port = {relay}
security = "none"
username = "alerts"
password_command = ["/bin/echo", "{WORDS["fallback"]}"]
[[channel]]
kind = "command"
name = "program"
command = ["{folder}/program"]
[health]
ping_url_file = "ping"
'''
    )
    program = folder / "program"
    seen = folder / "seen"
    program.write_text(
        f"#!/bin/sh\ncat > {seen}.new\n{{ env; cat /proc/$PPID/cmdline; }} >> {seen}.new\n"
        f"mv {seen}.new {seen}\n"
    )
    program.chmod(0o700)
    return {"RELAY_PASSWORD": WORDS["relay"], "SOME_TOKEN": WORDS["command"]}


def exposed_in(text: str) -> list[str]:
    """Which of the words stand in *text*, as they are, quoted or in base64 at any offset."""
    return [name for name, word in WORDS.items() if any(form in text for form in _forms(word))]


def _forms(word: str) -> set[str]:
    coded = {
        base64.b64encode(b"x" * offset + word.encode()).decode()[4 if offset else 0 : -4]
        for offset in range(3)
    }
    return {word, quote(word), quote(word, safe=""), *coded}


@pytest.mark.parametrize(
    "text", [WORDS["imap"], "x" + base64.b64encode(b"\0a\0canary-imap 5e1f%").decode()]
)
def test_the_search_finds_a_word(text: str) -> None:
    """The tests below would see a word, as it is or within the base64 of a login."""
    assert exposed_in(f"before {text} after") == ["imap"]


@pytest.mark.parametrize(
    "said",
    [
        "535 wrong: AUTH PLAIN " + base64.b64encode(b"\0alerts\0s3cret word").decode(),
        'NO LOGIN me "s3cret word"',
        'NO LOGIN me "s3cret\\ word"',
        "s3cret word",
    ],
)
def test_a_server_that_repeats_the_secret_is_not_quoted(said: str) -> None:
    """As it is, in a quoted string or in base64: the answer is left out."""
    assert without(said, "s3cret word") == "(its answer repeats the secret, and is left out)"


def test_what_else_a_server_says_is_quoted() -> None:
    """What helps the operator is not lost, whatever the secret is."""
    for word in ("x", "535", "s3cret word", ""):
        assert without("5.7.8 authentication failed", word) == "5.7.8 authentication failed"


@pytest.mark.parametrize("log_format", ["console", "json", "journal"])
def test_no_secret_is_logged_shown_stored_or_handed_on(tmp_path: Path, log_format: str) -> None:
    """
    With every server in trouble, and some that say back what they are told, no secret
    stands in a log at debug, in what any command prints, in the database, in the arguments
    of a process, or in what a program of the operator's is given.
    """
    mail = tmp_path / "mail.eml"
    mail.write_bytes(failing())
    with _parrot(_Parrot) as imap, _parrot(_PoliteParrot) as relay:
        site = Site(tmp_path)
        environ = _configure(site, imap, relay, log_format)
        assert site.command("import", str(mail)).returncode == 0
        with running(site, **environ) as daemon:
            seen = until((tmp_path / "seen").is_file, "the program has run")
            for part in ("channel:hook", "channel:fallback", "of alerts", "of reports"):
                daemon.wait_for_log(part)
            said = [daemon.log, Path(f"/proc/{daemon.pid}/cmdline").read_text()]
            # What commands print depends on no format.
            shown = COMMANDS if log_format == "console" else []
            said += [_said(site, words, environ) for words in shown]
        said += [(tmp_path / "seen").read_text(), _said(site, ["once"], environ)]
        stored = site.database.read_bytes().decode("latin-1")

    assert seen
    assert [[]] * len(said) == [exposed_in(text) for text in said]
    assert exposed_in(stored) == []


COMMANDS = [
    ["config", "show"],
    ["config", "check"],
    ["config", "check", "--json"],
    ["status"],
    ["status", "--json"],
    ["alerts"],
    ["channels"],
    ["audit"],
    ["failures", "--json"],
]


def _said(site: Site, words: list[str], environ: dict[str, str]) -> str:
    done = subprocess.run(
        site.words(*words),
        env=site.environment(**environ),
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
