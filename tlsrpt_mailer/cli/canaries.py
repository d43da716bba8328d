"""`canary`: test reports to our own addresses, and whether they come back."""

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, options, out
from tlsrpt_mailer.cli.groups import Listing
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.config.units import span_of
from tlsrpt_mailer.domains.record import txt_line
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.flows import canary as flow
from tlsrpt_mailer.ports import SentCanary
from tlsrpt_mailer.report.times import Span, Time, iso, iso_or_none
from tlsrpt_mailer.trust.signing import public_record
from tlsrpt_mailer.wiring import App

_HEADS = (
    Column("address"),
    Column("sent"),
    Column("back after"),
    Column("source"),
    Column("signature"),
    Column("MX"),
)
_LOOK_SECONDS = 0.5
NO_ADDRESS = (
    "no address of ours is known that reports go to: say [checks] rua, with an\n"
    "address at one of your [[domains]], or recipients of a source"
)


class _Span(click.ParamType[Span]):
    name = "SPAN"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Span:
        found = span_of(value) if isinstance(value, str) else None
        if found is None:
            self.fail(f'{value!r} is no time such as "90s" or "5m"', param, ctx)
        return found


@click.group(cls=Listing)
def canary() -> None:
    """Test the way of a report from the MX to here.

    A test report about a domain that cannot exist goes to each of your own
    addresses, signed, by way of its MX. It is recognised wherever it comes in,
    and counts nowhere. With [canary] schedule the daemon does it by itself, and
    tells alerts.operator when one does not come back. Exit codes: 0 listed, 1
    there is no database.

    \b
    Examples:
      tlsrpt-mailer canary send --wait 5m
      tlsrpt-mailer canary key
    """


@canary.command("list")
@out.listing_options
def list_(limit: int | None, all_: bool, json_: bool) -> None:
    """List the last test reports, newest first.

    Exit codes: 0 listed, 1 there is no database.

    \b
    Example:
      tlsrpt-mailer canary --json | jq '.[0].seconds'
    """
    page, now = out.page(limit, all_, json_), options.now()
    with opening.reading() as reader:
        found = reader.canaries(page.limit or 1_000_000)
    if json_:
        out.json_list(map(form, found))
    elif found:
        out.columns(_HEADS, (_cells(one, now) for one in found))
    else:
        click.echo("No test report was sent yet: tlsrpt-mailer canary send")


@canary.command()
@click.option(
    "--wait", "wait", type=_Span(), metavar="SPAN", help="Wait so long for them, such as 5m."
)
@click.option("--json", "json_", is_flag=True, help="Print a JSON list.")
def send(wait: Span | None, json_: bool) -> None:
    """Send a test report to each of your addresses, now.

    Prints which MX of each took it; with --wait also whether it came back, and
    after how long. A daemon has to run, or something else that takes mail in.
    Exit codes: 0 sent (and back, with --wait), 1 one did not come back, 69 one
    could not be sent, 78 no address of ours is known.

    \b
    Example:
      tlsrpt-mailer canary send --wait 5m
    """
    config = opening.load()
    wiring.Checking.load()
    with opening.writing(config) as app:
        settings = app.outside.checking.canary()
        if not settings.addresses:
            raise ConfigError(NO_ADDRESS)
        # What went wrong is printed with its address, so the log need not say it as well.
        log.configure("error", "console")
        sent = flow.send(app.store.canaries, app.outside.checking.move, settings, options.now())
        if wait is not None:
            sent = _wait(app, sent, wait)
    if json_:
        out.json_list(map(form, sent))
    else:
        _print(sent, waited=wait is not None)
    if any(map(is_unsent, sent)):
        click.get_current_context().exit(os.EX_UNAVAILABLE)
    if wait is not None and any(one.came_at is None for one in sent):
        click.get_current_context().exit(1)


@canary.command()
def key() -> None:
    """Print the TXT record that lets anybody verify the test reports.

    It goes into the zone of the sender's domain. Without it they come back all
    the same; the listing says then that the signature did not verify. Exit
    codes: 0 printed, 1 there is no database, 78 the key cannot be used.

    \b
    Example:
      tlsrpt-mailer canary key
    """
    config = opening.load()
    wiring.Checking.load()
    with opening.writing(config) as app:
        settings = app.outside.checking.canary()
        try:
            text = public_record(flow.signing_key(app.store.canaries, settings))
        except ValueError as error:
            raise ConfigError(f"canary.key_file: {error}") from error
    domain = settings.sender.rpartition("@")[2]
    name = f"{settings.selector}._domainkey.{domain}"
    if text is None:
        click.echo(f"; the public half of canary.key_file belongs at {name}:")
        click.echo("; openssl pkey -in FILE -pubout -outform DER | openssl base64 -A")
        return
    click.echo(txt_line(name, text))


def form(one: SentCanary) -> dict[str, Any]:
    """One test report, for JSON."""
    return {
        "token": one.token,
        "address": one.address,
        "sent_at": iso(one.sent_at),
        "answer": one.answer,
        "came_at": iso_or_none(one.came_at),
        "seconds": None if one.came_at is None else max(0, one.came_at - one.sent_at),
        "source": one.source,
        "signature": one.signature,
    }


def is_unsent(one: SentCanary) -> bool:
    """Whether no MX took it."""
    return (one.answer or "").startswith("not sent")


def _wait(app: App, sent: Sequence[SentCanary], wait: Span) -> list[SentCanary]:
    """Look again and again whether they are back, for *wait* seconds at most."""
    until = time.monotonic() + wait
    addresses = [one.address for one in sent]
    while True:
        last = app.store.canaries.last(addresses)
        found = [last.get(one.address, one) for one in sent]
        open_ = [one for one in found if one.came_at is None and not is_unsent(one)]
        if not open_ or time.monotonic() >= until:
            return found
        time.sleep(_LOOK_SECONDS)


def _print(sent: Iterable[SentCanary], *, waited: bool) -> None:
    for one in sent:
        click.echo(f"{one.address}: {_taken(one, 'taken by ')}")
        if one.came_at is not None:
            took = max(0, one.came_at - one.sent_at)
            click.echo(f"  back after {took} s, by {log.safe(one.source or '?', 80)}")
            click.echo(f"  signature: {log.safe(one.signature or '?', 160)}")
        elif waited and not is_unsent(one):
            click.echo("  not back yet: tlsrpt-mailer canary")


def _taken(one: SentCanary, by: str = "") -> str:
    """Who took it, or why nobody did; "-" while that is not known."""
    if one.answer is None or is_unsent(one):
        return log.safe(one.answer or "-", 200)
    host, _, _ = one.answer.partition(" says ")
    return by + log.safe(host, 120)


def _cells(one: SentCanary, now: Time) -> tuple[str, ...]:
    back = "-" if one.came_at is None else f"{max(0, one.came_at - one.sent_at)} s"
    return (
        one.address,
        words.moment(one.sent_at, now),
        back,
        log.safe(one.source or "-", 40),
        log.safe(one.signature or "-", 80),
        _taken(one),
    )
