"""`reporters`: who sends reports, and whose word counts."""

from collections.abc import Collection

import click

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, options, out, people
from tlsrpt_mailer.cli.groups import Listing
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.flows.reporters import Judged, Word, say_of_reporters
from tlsrpt_mailer.ports import ReporterWord
from tlsrpt_mailer.report.hosts import domain_text, is_strict_host
from tlsrpt_mailer.report.marks import is_marked
from tlsrpt_mailer.report.times import Time, iso_or_none
from tlsrpt_mailer.store.rows import ReporterRow

HEADS = (
    Column("reporter"),
    Column("standing"),
    Column("domains", right=True),
    Column("last report"),
    Column("30 days", right=True),
    Column("held", right=True),
    Column("note"),
)

_note = click.option("--note", metavar="TEXT", help="Why, for those who read the list.")
_json = click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
_names = click.argument("names", metavar="NAME...", nargs=-1, required=True)


@click.group(cls=Listing)
def reporters() -> None:
    """List who sends reports, and say whose word counts.

    What only unknown reporters see raises no alert. Known are those on the
    list that ships with the program, those of trust.reporters, whoever has
    reported for a week, and those you trust here. Exit codes: 0 done, 1 there
    is no database, or nothing to forget.

    \b
    Examples:
      tlsrpt-mailer reporters
      tlsrpt-mailer reporters trust bank.example --note "our partner"
      tlsrpt-mailer reporters distrust spam.example
    """


@reporters.command("list")
@out.listing_options
def list_(limit: int | None, all_: bool, json_: bool) -> None:
    """List who sends reports, by name.

    Prints one line a reporter, or a JSON list: its standing, of how many
    domains it reports, its reports of the last 30 days, and what share of them
    is held. Exit codes: 0 listed, 1 there is no database.

    \b
    Example:
      tlsrpt-mailer reporters --json
    """
    page, now = out.page(limit, all_, json_), options.now()
    config = opening.load()
    standing = wiring.standing(config)
    with opening.reading(config) as reader:
        rows = reader.reporters(now)
    shown = rows[: page.limit]
    if json_:
        out.json_list(form(row, standing) for row in shown)
        return
    if not rows:
        click.echo("Nobody has sent a report yet.")
        return
    out.columns(HEADS, (_row(row, standing, now) for row in shown))
    out.footer(len(shown), len(rows), "reporter")


@reporters.command()
@_names
@_note
@_json
def trust(names: tuple[str, ...], note: str | None, json_: bool) -> None:
    """Believe a reporter from its first report on.

    NAME is its organisational domain, as in the listing. It still has to sign
    its reports. The failures of the domains it speaks of are judged again at
    once. Exit codes: 0 noted, 1 there is no database, 64 NAME is no domain, 75
    the database cannot be written now.

    \b
    Example:
      tlsrpt-mailer reporters trust bank.example --note "our partner"
    """
    _say(names, "trust", note, json_=json_)


@reporters.command()
@_names
@_note
@_json
def distrust(names: tuple[str, ...], note: str | None, json_: bool) -> None:
    """Leave out all that a reporter says, now and later.

    NAME is its organisational domain, as in the listing. Its reports are still
    stored; they open no failure, end none, and no mail cites them. What it
    alone has seen is over at once. Exit codes: 0 noted, 1 there is no
    database, 64 NAME is no domain, 75 the database cannot be written now.

    \b
    Example:
      tlsrpt-mailer reporters distrust spam.example
    """
    _say(names, "distrust", note, json_=json_)


@reporters.command()
@_names
@_note
@_json
def forget(names: tuple[str, ...], note: str | None, json_: bool) -> None:
    """Take back what was said of a reporter.

    NAME is its organisational domain, as in the listing. It is known or not by
    its reports again. Exit codes: 0 noted, 1 nothing was said of it, 64 NAME is
    no domain, 75 the database cannot be written now.

    \b
    Example:
      tlsrpt-mailer reporters forget bank.example
    """
    _say(names, None, note, json_=json_)


def _say(
    names: tuple[str, ...], word: ReporterWord | None, note: str | None, *, json_: bool
) -> None:
    config = opening.load()
    with opening.writing(config) as app:
        with app.store.write() as txn:
            said = txn.people.said_of_reporters()
        meant = list(dict.fromkeys(_name(name, said) for name in names))
        if word is None and (unsaid := [name for name in meant if name not in said]):
            raise NoSuch(f"nothing was said of {words.listed(map(log.safe, unsaid))}")
        one = Word(word=word, who=people.who(), way=people.WAY, note=people.cut(note))
        judged = say_of_reporters(app.store, meant, one, wiring.standing(config), app.clock())
    if json_:
        out.as_json(
            {
                "reporters": meant,
                "word": word,
                "domains": judged.domains,
                "open_before": judged.before,
                "open_now": judged.open,
            }
        )
    else:
        click.echo("\n".join(_said(meant, word, judged)))


def _name(given: str, said: Collection[str]) -> str:
    """The name that the reporter's reports stand under."""
    if given in said:
        return given
    if is_marked(given):
        raise click.UsageError(f'"{given}" names what nobody has proved; say it of the domain')
    host = domain_text(given)
    if not is_strict_host(host) or "." not in host:
        raise click.UsageError(f'"{given}" is no domain such as google.com')
    whole = wiring.organisational(host) or host
    if whole != host:
        # What is said holds for all that the organisation signs: nobody shall say it unawares.
        raise click.UsageError(f'reports of "{given}" count under {whole}; say it of {whole}')
    return host


def _said(names: list[str], word: ReporterWord | None, judged: Judged) -> list[str]:
    named = words.listed([log.safe(name) for name in names])
    plural = len(names) > 1
    are, do = ("are", "their") if plural else ("is", "its")
    lines = {
        "trust": f"{named} {are} known from now on: what {'they see' if plural else 'it sees'}"
        " counts, if it is signed.",
        "distrust": f"{named} {are} left out from now on: {do} reports are stored and count for"
        " nothing.",
        None: f"What was said of {named} is taken back.",
    }
    found = words.wrap(lines[word])
    if judged.domains:
        found.append(
            f"{words.plural(judged.domains, 'domain')} judged again:"
            f" {words.plural(judged.before, 'open failure')} before, {judged.open or 'none'} now."
        )
    return found


def standing_of(row: ReporterRow, standing: Standing) -> str:
    """trusted, distrusted, known or unknown."""
    if row.word is not None:
        return f"{row.word.word}ed"
    if is_marked(row.reporter):
        return "unknown"
    established = {row.reporter} if row.is_established else set()
    return "known" if standing.known({row.reporter}, established) else "unknown"


def form(row: ReporterRow, standing: Standing) -> dict[str, object]:
    """A reporter as JSON."""
    word = row.word
    return {
        "reporter": row.reporter,
        "standing": standing_of(row, standing),
        "by": word and word.who,
        "at": iso_or_none(None if word is None else word.at),
        "note": word and word.note,
        "domains": row.domains,
        "last_report": iso_or_none(row.last_report),
        "reports": row.counted_lately,
        "held_lately": row.held_lately,
        "held": row.held,
    }


def _row(row: ReporterRow, standing: Standing, now: Time) -> tuple[str, ...]:
    lately = row.counted_lately + row.held_lately
    return (
        words.safe(row.reporter, 40),
        standing_of(row, standing),
        words.number(row.domains),
        "-" if row.last_report is None else words.moment(row.last_report, now),
        words.number(lately),
        words.share(row.held_lately, lately) if row.held_lately else "-",
        log.safe((row.word and row.word.note) or "-", 40),
    )
