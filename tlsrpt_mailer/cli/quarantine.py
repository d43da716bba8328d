"""`quarantine`: mails whose bytes are kept because nobody could read the report in them."""

import os
import sys
from collections import Counter

import click

from tlsrpt_mailer import log
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import forms, opening, options, out
from tlsrpt_mailer.cli.groups import Listing
from tlsrpt_mailer.cli.importing import count, summary
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.errors import CannotWrite, Temporary
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.store.lock import as_root
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.rows import KeptRow

HEADS = (Column("#", right=True), Column("taken"), Column("from"), Column("why"))


@click.group(cls=Listing)
def quarantine() -> None:
    """List, show or retry mails whose report nobody can read.

    Their raw bytes are kept for storage.keep_raw. Mails that are no report and
    had to be kept (from LMTP, SMTP or a pipe) are listed with --ignored. Exit
    codes: 0 done, 1 there is no database or no such mail.

    \b
    Examples:
      tlsrpt-mailer quarantine
      tlsrpt-mailer quarantine export 12 > 12.eml
      tlsrpt-mailer quarantine retry --all
    """


@quarantine.command("list")
@click.option("--ignored", is_flag=True, help="Those that are no report, and were kept.")
@out.listing_options
def list_(ignored: bool, limit: int | None, all_: bool, json_: bool) -> None:
    """List mails in quarantine, the last first.

    Prints one line a mail, or a JSON list. Exit codes: 0 listed, 1 there is no
    database.

    \b
    Example:
      tlsrpt-mailer quarantine --json
    """
    page, now = out.page(limit, all_, json_), options.now()
    kind = "ignored" if ignored else "quarantine"
    with opening.reading() as reader:
        rows = out.paged(
            lambda limit, offset: reader.kept(kind, limit=limit, offset=offset).rows, page
        )
        if json_:
            out.json_list(map(forms.kept, rows))
            return
        total = reader.kept(kind, limit=0).total
        if not total:
            click.echo("No mail that is no report is kept." if ignored else "Quarantine is empty.")
            return
        out.columns(
            HEADS,
            (
                (
                    str(row.id),
                    words.moment(row.taken_at, now),
                    log.safe(row.sender or row.file_name or "-", 40),
                    log.safe(row.reason or "-", 100),
                )
                for row in rows
            ),
        )
        out.footer(total if page.limit is None else min(page.limit, total), total, "mail")


@quarantine.command()
@click.argument("id", type=int, metavar="ID")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def show(id: int, json_: bool) -> None:
    """Say where a kept mail came from and why it is kept.

    ID is its number in the listing. Exit codes: 0 shown, 1 there is none.

    \b
    Example:
      tlsrpt-mailer quarantine show 12
    """
    with opening.reading() as reader:
        row = reader.kept_one(id)
    form = forms.kept(row)
    if json_:
        out.as_json(form)
        return
    for name, value in form.items():
        if value is not None:
            click.echo(f"{name.replace('_', ' '):<10} {log.safe(str(value))}")
    click.echo(f"\nIts bytes: tlsrpt-mailer quarantine export {id} > {id}.eml")


@quarantine.command()
@click.argument("ids", type=int, metavar="[ID]...", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="All that are in quarantine.")
def retry(ids: tuple[int, ...], all_: bool) -> None:
    """Read mails in quarantine anew, as after an upgrade.

    ID are their numbers in the listing. What can be read now is stored and
    counts as if it had come in now; the rest stays. Prints one line. Exit
    codes: 0 read anew, 1 there is no such mail, 75 the database cannot be
    written now.

    \b
    Examples:
      tlsrpt-mailer quarantine retry 12
      tlsrpt-mailer quarantine retry --all
    """
    if bool(ids) == all_:
        raise click.UsageError("name mails by their ID, or say --all")
    config = opening.load()
    counts: Counter[str] = Counter()
    with opening.reading(config) as reader, opening.writing(config) as app:
        for row in _rows(reader, ids):
            for receipt in app.deliver([_again(row, reader.kept_raw(row.id))]):
                count(receipt, counts)
    click.echo(summary(counts))
    if counts["failed"]:
        raise Temporary("not everything is stored; try again (the log lines above say why)")


@quarantine.command()
@click.argument("id", type=int, metavar="ID")
@click.option("-o", "--output", metavar="FILE", help="Write here, and never over a file.")
def export(id: int, output: str | None) -> None:
    """Print the bytes of a kept mail, just as they came.

    ID is its number in the listing. Exit codes: 0 printed, 1 there is none, 73
    FILE exists or cannot be written.

    \b
    Examples:
      tlsrpt-mailer quarantine export 12 > 12.eml
      tlsrpt-mailer quarantine export 12 -o 12.eml
    """
    with opening.reading() as reader:
        raw = reader.kept_raw(id)
    if output is None:
        sys.stdout.buffer.write(raw)
        return
    try:
        # A stranger's mail, or a person's: for whoever asked, alone.
        with as_root(), open(output, "xb", opener=_private) as file:
            file.write(raw)
    except FileExistsError:
        raise CannotWrite(f"{output} exists; nothing was written over it") from None
    except OSError as error:
        raise CannotWrite(f"cannot write {output}: {error.strerror}") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _rows(reader: Reader, ids: tuple[int, ...]) -> list[KeptRow]:
    if ids:
        return [reader.kept_one(number) for number in ids]
    return reader.kept("quarantine", limit=None).rows


def _again(row: KeptRow, raw: bytes) -> RawMail:
    return RawMail(
        raw, row.source, row.taken_at, file_name=row.file_name, keep_ignored=True, again=True
    )
