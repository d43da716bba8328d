"""`alerts`: what was mailed or handed to channels, to whom, and what the other side said."""

import sys
from email import message_from_bytes, policy

import click
import msgspec

from tlsrpt_mailer import config as configuration
from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.render import render_test
from tlsrpt_mailer.cli import forms, opening, options, out
from tlsrpt_mailer.cli.groups import Listing
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.cli.stopped import stopped
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.errors import ConfigError, NoSuch, Refused, Temporary, Unreachable
from tlsrpt_mailer.ports import CHANNEL, Letter, Notice
from tlsrpt_mailer.store.rows import LetterRow

HEADS = (
    Column("#", right=True),
    Column("written"),
    Column("to"),
    Column("state"),
    Column("subject"),
)


@click.group(cls=Listing)
def alerts() -> None:
    """List the mails that went out, or show, resend or test one.

    Newest first, one line a mail; mails that were only handed on with --all.
    Exit codes: 0 done, 1 there is no database or no such alert, 69 the relay
    does not take it.

    \b
    Examples:
      tlsrpt-mailer alerts
      tlsrpt-mailer alerts show 12
      tlsrpt-mailer alerts test
    """


@alerts.command("list")
@click.option(
    "--state", type=click.Choice(["waiting", "sent", "failed"]), help="Only those in this state."
)
@out.listing_options
def list_(state: str | None, limit: int | None, all_: bool, json_: bool) -> None:
    """List the mails that went out or wait to, newest first.

    Prints one line a mail, or a JSON list. Mails that were only handed on
    (postmaster_to, forward_ignored_to) are listed with --all or --state. Exit
    codes: 0 listed, 1 there is no database.

    \b
    Example:
      tlsrpt-mailer alerts --state failed
    """
    forwards = all_ or state is not None
    page, now = out.page(limit, all_, json_), options.now()
    with opening.reading() as reader:
        rows = out.paged(
            lambda limit, offset: (
                reader.letters(state=state, forwards=forwards, limit=limit, offset=offset).rows
            ),
            page,
        )
        if json_:
            out.json_list(map(forms.letter, rows))
            return
        total = reader.letters(state=state, forwards=forwards, limit=0).total
        if not total:
            click.echo("No alert was written yet." if state is None else f"No alert is {state}.")
            return
        out.columns(
            HEADS,
            (
                (
                    str(row.id),
                    words.moment(row.created_at, now),
                    log.safe(row.recipient, 40),
                    row.state,
                    log.safe(row.subject, 100),
                )
                for row in rows
            ),
        )
        out.footer(total if page.limit is None else min(page.limit, total), total, "mail")


@alerts.command()
@click.argument("id", type=int, metavar="ID")
@click.option("--raw", is_flag=True, help="Print the bytes that are sent.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def show(id: int, raw: bool, json_: bool) -> None:
    """Print a mail as its receiver reads it, and how its delivery went.

    ID is its number in the listing. Of a notice to a channel, --raw is the JSON
    that it was made of. Exit codes: 0 shown, 1 there is none.

    \b
    Examples:
      tlsrpt-mailer alerts show 12
      tlsrpt-mailer alerts show 12 --raw > 12.eml
    """
    with opening.reading() as reader:
        row, data = reader.letter(id)
    if raw:
        sys.stdout.buffer.write(data)
        return
    text = _text(row, data)
    if json_:
        out.as_json({**forms.letter(row), "text": text})
        return
    now = options.now()
    click.echo(f"To: {log.safe(row.recipient)}\nSubject: {log.safe(row.subject)}\n")
    click.echo("\n".join(log.safe(line) for line in text.splitlines()))
    again = " again since" if row.state == "waiting" else ","
    done = f"{again} {words.when(row.done_at, now)}" if row.done_at else ""
    click.echo(f"\n{row.state}{done}, {words.plural(row.attempts, 'try', 'tries')}")
    if row.answer:
        before = "" if row.attempts else " before"
        click.echo(f"answer{before}: {log.safe(row.answer)}")
    if row.next_try:
        click.echo(f"next try: {words.moment(row.next_try, now)}")


def _text(row: LetterRow, data: bytes) -> str:
    if row.recipient.startswith(CHANNEL):
        return msgspec.json.decode(data, type=Notice).text
    body = message_from_bytes(data, policy=policy.default).get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


@alerts.command()
@click.argument("id", type=int, metavar="ID")
def resend(id: int) -> None:
    """Send a mail once more, byte for byte.

    ID is its number in the listing; the Message-ID stays as well. The daemon
    sends it within seconds, `once` at its next run. Exit codes: 0 it waits for
    delivery, 1 there is none.

    \b
    Example:
      tlsrpt-mailer alerts resend 12
    """
    with opening.writing() as app:
        if not app.store.outbox.resend(id, app.clock()):
            raise NoSuch(f"no alert {id}")
    click.echo(f"{id} waits for delivery: tlsrpt-mailer alerts show {id}")


@alerts.command()
@click.option("--to", metavar="ADDRESS", help="Send it here in place of alerts.to.")
@click.option("--channel", metavar="NAME", help="Send it by this channel in place of mail.")
def test(to: str | None, channel: str | None) -> None:
    """Send a test alert at once.

    It goes to everybody in alerts.to, or by a channel. Needs no database.
    Prints what the other side answered. Exit codes: 0 it took all of them, 69
    it did not, 78 there is nobody to send to.

    \b
    Examples:
      tlsrpt-mailer alerts test
      tlsrpt-mailer alerts test --to postmaster@example.com
      tlsrpt-mailer alerts test --channel webhook
    """
    config = opening.load()
    if channel is not None:
        _test_channel(config, channel)
        return
    recipients = (to,) if to else config.alerts.to
    if not recipients:
        raise ConfigError("alerts.to is empty: alerts go to the log and the terminal; say --to")
    context = wiring.context(config, configuration.host_name())
    refused = []
    for recipient in recipients:
        mail = render_test(msgspec.structs.replace(context, recipient=recipient, now=options.now()))
        letter = Letter(mail.message_id, recipient, mail.subject, "test", mail.raw)
        try:
            click.echo(f"{recipient}: {log.safe(wiring.mail_channel(config).send(letter))}")
        except (Temporary, Refused) as error:
            refused.append(f"{recipient}: {error}")
    if refused:
        raise Unreachable("\n".join(refused))


def _test_channel(config: Config, name: str) -> None:
    found = {one.name: one for one in config.channel}
    if name not in found:
        there = ", ".join(found) or "there is none"
        raise ConfigError(f"no channel {log.safe(name, 40)} is configured; channels: {there}")
    now, host = options.now(), configuration.host_name()
    mail = render_test(msgspec.structs.replace(wiring.context(config, host), now=now))
    notice = Notice(
        id=f"<tlsrpt.test.{now}@{host}>",
        key="tlsrpt-test",
        event="test",
        severity="notice",
        is_open=False,
        title=mail.subject,
        text=mail.text,
        at=now,
        host=host,
    )
    try:
        sent = wiring.notifier(found[name], config).notify(notice, None)
    except (Temporary, Refused) as error:
        raise Unreachable(f"{name}: {error}") from error
    click.echo(f"{name}: {log.safe(sent.answer)}")


alerts.add_command(stopped)
