"""`digest`: what the digest would say now."""

from collections.abc import Sequence

import click

from tlsrpt_mailer import config as configuration
from tlsrpt_mailer import wiring
from tlsrpt_mailer.alerts.digest import Digest
from tlsrpt_mailer.alerts.digest_fleet import operator_page
from tlsrpt_mailer.alerts.digest_pages import Shares
from tlsrpt_mailer.alerts.directory import Owner
from tlsrpt_mailer.cli import digest_forms, opening, options, out
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.flows import digest as flow
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.digesting import open_digest_reader


@click.command()
@click.option("--for", "address", metavar="ADDRESS", help="Whose digest; see above.")
@click.option("--operator", is_flag=True, help="Only the page of the operator.")
@click.option("--send", is_flag=True, help="Mail it, too.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def digest(address: str | None, *, operator: bool, send: bool, json_: bool) -> None:
    """Print what the digest would say if it came now.

    It is the one of ADDRESS, an owner's; else of the first address of
    alerts.to. It speaks of one length of [digest] schedule up to now, so it is
    not the mail that went out last: `alerts list` has that one. Nothing is
    changed, and the next digest comes when it is due; --send mails this one to
    its reader besides. Exit codes: 0 printed, 1 there is no database or ADDRESS
    owns nothing, 75 the database cannot be written now (--send).

    \b
    Examples:
      tlsrpt-mailer digest
      tlsrpt-mailer digest --for team@example.com --send
      tlsrpt-mailer digest --operator --json | jq .operator.groups
    """
    config, now = opening.load(), options.now()
    audience = wiring.audience(config, configuration.host_name())
    found = _draw(config, audience, address, now, operator=operator)
    if json_:
        out.as_json(digest_forms.digest(found))
    else:
        rendered = flow.rendered_of(found, audience, now)
        click.echo(f"To: {_reader(found)}\nSubject: {rendered.subject}\n\n{rendered.text.rstrip()}")
    if send:
        _send(config, audience, found, now)


def _reader(found: Digest) -> str:
    """Who would get it."""
    return found.recipient if "@" in found.recipient else "(alerts.to names nobody)"


def _draw(
    config: Config, audience: Audience, address: str | None, now: Time, *, operator: bool
) -> Digest:
    plan = wiring.digest_plan(config)
    with opening.reading(config):
        # Only to say in plain words where there is none.
        pass
    with open_digest_reader(configuration.database(config)) as reads:
        period = flow.until_now(audience, plan, now)
        material = flow.gather(reads, audience, period, now)
    if operator:
        recipient = address or (plan.operator or audience.operator)[0]
        page = operator_page(material, audience.directory)
        return Digest(recipient=recipient, period=period, operator=page)
    default = audience.directory.default
    whose = audience.directory.spelled(address) if address else default.addresses[0]
    owners = flow.owners_by_address(audience.directory).get(whose, _default(whose, default))
    found = flow.draw(whose, owners, Shares(material, audience.directory), audience, plan)
    if found is None:
        raise NoSuch(f"{whose} owns no domain, and nothing of theirs fails")
    return found


def _default(address: str, default: Owner) -> Sequence[Owner]:
    """The log and the terminal own what nobody owns, too, though they get no mail."""
    return (default,) if address in default.addresses else ()


def _send(config: Config, audience: Audience, found: Digest, now: Time) -> None:
    if "@" not in found.recipient:
        raise NoSuch("alerts.to names nobody to send it to")
    with opening.writing(config) as app:
        flow.freeze(app.store, [found], audience, now)
    click.echo(f"\nWritten into the outbox for {found.recipient}: tlsrpt-mailer alerts", err=True)
