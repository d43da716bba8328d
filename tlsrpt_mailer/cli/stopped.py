"""`alerts stopped`: what a daemon that is down cannot say itself."""

import os
import sys
import tomllib
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from tlsrpt_mailer import config as configuration
from tlsrpt_mailer import wiring
from tlsrpt_mailer.cli import opening, options
from tlsrpt_mailer.config import Config, decode
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary, Unreachable
from tlsrpt_mailer.ports import Letter
from tlsrpt_mailer.report.times import Time

T = TypeVar("T", bound=msgspec.Struct)

TEXT = """\
No TLS reports are read on {host}: tlsrpt-mailer has stopped.
Mail is not touched by this; but you would not hear of a new failure.
{why}

WHAT TO DO
    tlsrpt-mailer config check
    journalctl -u tlsrpt-mailer -n 50
  When it is mended (after some failed starts systemd refuses others for a
  while; the second line is for who has a socket unit, which it then shuts):
    systemctl reset-failed 'tlsrpt-mailer*'
    systemctl restart tlsrpt-mailer-lmtp.socket
    systemctl restart tlsrpt-mailer

WHAT BECOMES OF REPORTS
  They wait: in the mailbox, and at the MTA, which tries again for days. What
  was taken before is in the database. Whatever is new is told after the start.

--
You get this as the operator (alerts.operator) of tlsrpt-mailer on {host}.
"""


@click.command()
def stopped() -> None:
    """Mail alerts.operator that the daemon has stopped.

    For OnFailure= of the systemd unit; says why, if systemd told us. Opens no
    database, and makes do with the parts of a wrong configuration that are
    right. Without alerts.operator it goes to alerts.to. Exit codes: 0 the relay
    took it, 69 it did not, 78 there is nobody to send to.

    \b
    Example:
      tlsrpt-mailer alerts stopped
    """
    config = _usable()
    recipients = config.alerts.operator or config.alerts.to
    if not recipients:
        raise ConfigError("neither alerts.operator nor alerts.to names anybody")
    channel = wiring.mail_channel(config)
    refused = []
    for recipient in recipients:
        letter = write(config, recipient, options.now(), os.environ)
        try:
            click.echo(f"{recipient}: {channel.send(letter)}")
        except (Temporary, Refused) as error:
            refused.append(f"{recipient}: {error}")
    if refused:
        raise Unreachable("\n".join(refused))


def write(config: Config, recipient: str, now: Time, environ: Mapping[str, str]) -> Letter:
    """The mail; why it stopped is in *environ* (``MONITOR_…``, systemd.exec(5))."""
    host = configuration.host_name()
    sender = config.alerts.sender or f"tlsrpt-mailer@{host}"
    digest = sha256(f"{recipient} {environ.get('MONITOR_INVOCATION_ID', now)}".encode())
    mail = EmailMessage(SMTP)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Date"] = formatdate(now)
    mail["Subject"] = f"OPERATOR tlsrpt-mailer on {host} has stopped [tlsrpt]"
    domain = parseaddr(sender)[1].rpartition("@")[2] or host
    mail["Message-ID"] = f"<tlsrpt.stopped.{digest.hexdigest()[:16]}@{domain}>"
    if config.alerts.auto_submitted:
        mail["Auto-Submitted"] = "auto-generated"
    mail["X-TLSRPT-Mailer"] = "event=stopped"
    mail.set_content(TEXT.format(host=host, why=_why(environ)))
    return Letter(mail["Message-ID"], recipient, mail["Subject"], "stopped", mail.as_bytes())


def _why(environ: Mapping[str, str]) -> str:
    status = environ.get("MONITOR_EXIT_STATUS", "")
    match environ.get("MONITOR_SERVICE_RESULT"):
        case "exit-code" if status == "78":
            return "Its configuration is wrong (exit code 78); it is not started again."
        case "exit-code" | "start-limit-hit" if status == "1":
            return (
                "It ended with exit code 1, again and again: its database is damaged, of another\n"
                "version, or may not be read."
            )
        case "exit-code" | "start-limit-hit" if status:
            return f"It ended with exit code {status}, again and again."
        case "watchdog":
            return "It hung, and systemd ended it."
        case str(result):
            return f"systemd says: {' '.join(filter(None, [result, status]))}."
        case None:
            return "Why is not known here."


def _usable() -> Config:
    """The configuration; of one that is wrong, what is right of ``[alerts]``."""
    try:
        return opening.load()
    except ConfigError as error:
        click.echo(f"the configuration is wrong: {error}", file=sys.stderr)
        path = configuration.find(options.current().config)
        return _salvaged(path)


def _salvaged(path: Path | None) -> Config:
    try:
        document = tomllib.loads(path.read_text()) if path else {}
    except (OSError, ValueError):
        document = {}
    table = document.get("alerts", {})
    alerts = table if isinstance(table, dict) else {}
    told = _made(configuration.Alerts(), alerts)
    mail = _made(wiring.KINDS.mail(), alerts.get("smtp", {}))
    return Config(mail=mail, alerts=told, file=path)


def _made(defaults: T, table: object) -> T:
    """*defaults*, with the values in *table* that such settings can have."""
    given = table if isinstance(table, dict) else {}
    values = {
        field.name: decode.value(field.type, given[field.encode_name], "", lambda *_: None)
        for field in decode.fields_of(type(defaults))
        if field.encode_name in given
    }
    right = {name: value for name, value in values.items() if value is not decode.BAD}
    try:
        return type(defaults)(**right)
    except ValueError:  # keys that contradict each other
        return defaults
