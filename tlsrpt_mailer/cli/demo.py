"""
`demo`: the main job in a minute, with the real daemon, on loopback.

A database in a temporary folder, an LMTP listener on a free port, and a relay
that takes the alert: it is this program's own SMTP listener, so that nothing
has to be installed. Nothing is left behind.
"""

import contextlib
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

import click

from tlsrpt_mailer.cli.demo_mails import Story
from tlsrpt_mailer.errors import Unreachable
from tlsrpt_mailer.ports import RawMail, Receipt
from tlsrpt_mailer.report.times import Span, Time
from tlsrpt_mailer.sources import smtp

PATIENCE = 30.0
"""Seconds to wait for anything here; all of it is on this machine."""

CONFIG = """\
[storage]
path = "{folder}/tlsrpt.db"

[[source]]
kind = "lmtp"
listen = "127.0.0.1:{lmtp}"
recipients = ["tlsrpt@example.com"]

# The reports of this demo are made up, so nobody signed them. Leave this out
# where real ones come in.
[trust]
dkim = "off"

[alerts]
from = "tlsrpt-mailer@mail.example.com"
to = ["postmaster@example.com"]
group_wait = "1s"

[alerts.smtp]
host = "127.0.0.1"
port = {relay}
"""


@click.command()
@click.option("--keep", is_flag=True, help="Leave the folder with the database there.")
def demo(keep: bool) -> None:
    """Show the main job in one minute, and leave nothing behind.

    Starts the real daemon on loopback with a database in a temporary folder,
    mails it the reports of a healthy week and then those of a day on which a
    certificate had expired, and shows the alert mail that goes out.

    Exit codes: 0 the alert came, 69 something here could not be reached.

    \b
    Example:
      tlsrpt-mailer demo
    """
    with contextlib.ExitStack() as stack:
        if keep:
            folder = Path(tempfile.mkdtemp(prefix="tlsrpt-demo-"))
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tlsrpt-demo-")))
        alerts: SimpleQueue[bytes] = SimpleQueue()
        relay, lmtp = stack.enter_context(_relay(alerts)), _free_port()
        (folder / "config.toml").write_text(CONFIG.format(folder=folder, lmtp=lmtp, relay=relay))
        _say(f"the daemon starts: LMTP on 127.0.0.1:{lmtp}, database in {folder}")
        stack.enter_context(_daemon(folder, lmtp))
        story = Story(int(time.time()))
        _say("a healthy week: Google and Microsoft report on example.com and shop.example")
        _mail(lmtp, story.healthy_week())
        _command(folder, "failures")
        _say("yesterday the certificate of mx1.example.com ran out; Google reports it")
        _mail(lmtp, story.expired())
        _say("and this is the mail that goes out to postmaster@example.com")
        click.echo("(What it proposes to type is for a database that stays, not for this one.)\n")
        click.echo(_as_read(_next(alerts)))
        _command(folder, "failures")
        if keep:
            click.echo(f"The folder is left there: {folder}")
    _say("what next")
    # As it was called: a virtual environment is mostly not on the PATH.
    program = "tlsrpt-mailer" if shutil.which("tlsrpt-mailer") else sys.argv[0]
    click.echo(NEXT.format(program=program))


NEXT = """\
  Reports in a mailbox, or straight from Postfix?  docs/tutorial.md, ten minutes
  A report lies here as a file?   {program} show FILE
  What does a result type mean?   {program} explain tlsa-invalid
"""


def _say(text: str) -> None:
    click.echo(f"\n--- {text}\n")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class _Quiet:
    """`ports.Health` of the relay: there is nobody to tell."""

    def beat(self, within: Span = 60) -> None:
        """Nobody watches."""

    def fine(self, detail: str = "") -> None:
        """It is on loopback."""

    def trouble(self, error: str, next_try: Span | None = None) -> None:
        """The alert will not come, and the command says so."""

    def warn(self, warning: str | None) -> None:
        """There is nothing to mend."""

    def backlog(self, mails: int) -> None:
        """One mail at a time."""


@contextlib.contextmanager
def _relay(alerts: "SimpleQueue[bytes]") -> Iterator[int]:
    """A relay that takes every mail; yields its port."""

    def take(mails: Sequence[RawMail]) -> list[Receipt]:
        for mail in mails:
            alerts.put(mail.raw)
        return [Receipt("stored") for _ in mails]

    port = _free_port()
    settings = smtp.Settings(listen=f"127.0.0.1:{port}", recipients=("@example.com",))
    source = smtp.ListenerSource("smtp", settings, clock=_now)
    source.open()
    stop = Event()
    thread = Thread(target=source.run, args=(take, _Quiet(), stop), daemon=True)
    thread.start()
    try:
        yield port
    finally:
        stop.set()
        source.close()
        thread.join(PATIENCE)


@contextlib.contextmanager
def _daemon(folder: Path, port: int) -> Iterator[None]:
    """The real thing, in a process of its own; its log goes into the folder."""
    with (folder / "daemon.log").open("wb") as log:
        command = [*_program(folder), "run"]
        with subprocess.Popen(command, stdout=log, stderr=log) as process:  # noqa: S603 - ourselves
            try:
                _wait_for(port, process, folder)
                yield
            finally:
                process.terminate()
                process.wait(PATIENCE)


def _program(folder: Path) -> list[str]:
    return [sys.executable, "-m", "tlsrpt_mailer", "-c", str(folder / "config.toml")]


def _wait_for(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Unreachable("the daemon did not start:\n" + (folder / "daemon.log").read_text())


def _mail(port: int, mails: Sequence[bytes]) -> None:
    """Hand the mails over by LMTP, as Postfix would."""
    with smtplib.LMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        for raw in mails:
            client.sendmail("noreply-smtp-tls-reporting@google.com", "tlsrpt@example.com", raw)
    click.echo(f"{len(mails)} mails handed over, each answered after it was stored")


def _command(folder: Path, *words: str) -> None:
    click.echo(f"\n$ tlsrpt-mailer {' '.join(words)}")
    result = subprocess.run(  # noqa: S603 - ourselves
        [*_program(folder), *words], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    click.echo(result.stdout + result.stderr)


def _next(alerts: "SimpleQueue[bytes]") -> bytes:
    try:
        return alerts.get(timeout=PATIENCE)
    except Empty:
        raise Unreachable(f"no alert came within {PATIENCE:.0f} seconds") from None


def _as_read(raw: bytes) -> str:
    """The mail as its receiver sees it: the headers that people see, and the text."""
    mail = message_from_bytes(raw, policy=policy.default)
    head = [f"{name}: {mail[name]}" for name in ("From", "To", "Subject", "Date")]
    body = mail.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    return "\n".join([*head, "", text])


def _now() -> Time:
    return int(time.time())
