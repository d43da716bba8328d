"""`import`: reports from files, folders and standard input."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import click
import msgspec

from tlsrpt_mailer import log
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, options, out
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.ports import Deliver, RawMail, Receipt
from tlsrpt_mailer.sources.files import STDIN, Item, read_paths, total_bytes
from tlsrpt_mailer.store.lock import as_root
from tlsrpt_mailer.wiring import App

BATCH_MAILS = 200
BATCH_BYTES = 8 * 1024 * 1024

COUNTED = ("stored", "superseded", "duplicate", "quarantined", "held", "ignored", "failed")
_WORDS = {
    "stored": ("report stored", "reports stored"),
    "superseded": ("superseded", "superseded"),
    "duplicate": ("duplicate", "duplicates"),
    "quarantined": ("unreadable (tlsrpt-mailer quarantine)",) * 2,
    "held": ("held (tlsrpt-mailer reports --held)",) * 2,
    "ignored": ("not a TLS report", "not TLS reports"),
    "failed": ("not taken", "not taken"),
}
"""What is said of one, and of any other number."""


@click.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--verify",
    is_flag=True,
    help="Hold what is not signed by its reporter, as for mail that comes in.",
)
@click.option("--json", "json_", is_flag=True, help="Print one JSON object, last.")
def import_(paths: tuple[str, ...], verify: bool, json_: bool) -> None:
    """Store the reports in files, folders or standard input.

    PATH is a mail (.eml), an mbox, a Maildir, a bare report (.json, .json.gz),
    a .zip, or a folder of all these; what a file is, its content says. Nothing
    is moved or changed. - is one mail on standard input, as Postfix's pipe, a
    Sieve filter or procmail hand it over. What is stored already is counted as
    duplicate. Files stand on your word: signed or not, they count. With --verify
    their signatures are checked by [trust], as if they came in now, and what is
    not believed is held (tlsrpt-mailer reports --held); what comes by - always
    is. Prints one line, on a terminal a progress bar before it. Alerts are
    mailed by the daemon or by `once`, not by this command.

    Exit codes: 0 all that could be read is stored, 1 a file could not be read,
    75 something is not stored, so try again. For - only 0 and 75, whatever
    happens: Postfix bounces a mail on any other code.

    \b
    Examples:
      tlsrpt-mailer import Mail/tlsrpt.mbox
      tlsrpt-mailer import --json reports/ | jq .stored
      tlsrpt-mailer import - < report.eml
    """
    counts: Counter[str] = Counter()
    problems = 0
    with (
        opening.writing(make=True) as app,
        _progress(paths) as advance,
        _told(app, paths) as deliver,
    ):
        items = read_paths(paths, now=options.now(), limits=Limits(), stdin=sys.stdin.buffer)
        for item in _taken(_vouched(items, verify=verify), deliver, counts):
            advance(item.done)
            if item.problem is not None:
                problems += 1
                click.echo(f"{log.safe(item.path)}: {log.safe(item.problem)}", err=True)
    counts["failed"] += problems
    with _no_matter() if STDIN in paths else nullcontext():
        if json_:
            out.as_json({"mails": counts["mails"], **{name: counts[name] for name in COUNTED}})
        else:
            click.echo(summary(counts))
        sys.stdout.flush()
    if counts["failed"] > problems:
        raise Temporary("not everything is stored; try again (the log lines above say why)")
    if problems:
        click.get_current_context().exit(1)


@contextmanager
def _told(app: App, paths: Sequence[str]) -> Iterator[Deliver]:
    """How mails are stored: where they are many, a daemon hears of it and alerts wait."""
    if STDIN in paths:
        yield app.deliver
        return
    with app.import_under_way() as alive:

        def deliver(mails: Sequence[RawMail]) -> list[Receipt]:
            alive()
            return app.deliver(mails)

        yield deliver


@contextmanager
def _no_matter() -> Iterator[None]:
    """Let output fail: the mail is stored, and an MTA that hears 75 would bring it again."""
    try:
        yield
    except OSError:
        # What is in the buffer would fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def summary(counts: Counter[str]) -> str:
    """``14 mails: 9 reports stored, 1 duplicate, 4 not reports``."""
    parts = [_count(counts[name], _WORDS[name]) for name in COUNTED if counts[name]]
    return f"{words.plural(counts['mails'], 'mail')}: {', '.join(parts) or 'nothing in them'}"


def _count(number: int, forms: tuple[str, str]) -> str:
    return f"{words.number(number)} {forms[number != 1]}"


def count(receipt: Receipt, counts: Counter[str]) -> None:
    """Count what became of a mail: its reports, or the mail itself where it holds none."""
    counts["mails"] += 1
    counts.update(receipt.reports or (receipt.outcome,))


def _taken(items: Iterator[Item], deliver: Deliver, counts: Counter[str]) -> Iterator[Item]:
    """Deliver the mails among *items* in batches; yields every item once it is over."""
    batch: list[RawMail] = []
    size = 0
    for item in _as_root(items):
        if item.mail is not None:
            batch.append(item.mail)
            size += len(item.mail.raw)
        if len(batch) >= BATCH_MAILS or size >= BATCH_BYTES:
            _deliver(batch, deliver, counts)
            batch, size = [], 0
        yield item
    _deliver(batch, deliver, counts)


def _vouched(items: Iterator[Item], *, verify: bool) -> Iterator[Item]:
    """Mails of files on the operator's word; on standard input it is a stranger who writes."""
    for item in items:
        if verify or item.mail is None or item.path == STDIN:
            yield item
        else:
            yield msgspec.structs.replace(
                item, mail=msgspec.structs.replace(item.mail, trusted=True)
            )


def _as_root(items: Iterator[Item]) -> Iterator[Item]:
    """Read what only root may read, where root called; the database belongs to its owner."""
    while True:
        with as_root():
            item = next(items, None)
        if item is None:
            return
        yield item


def _deliver(batch: Sequence[RawMail], deliver: Deliver, counts: Counter[str]) -> None:
    if batch:
        for receipt in deliver(batch):
            count(receipt, counts)


@contextmanager
def _progress(paths: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; elsewhere nothing. Yields what tells it how many bytes are done."""
    with as_root():
        total = total_bytes(paths) if sys.stderr.isatty() else 0
    if not total:
        yield lambda _done: None
        return
    from rich import progress  # noqa: PLC0415 - heavy
    from rich.console import Console  # noqa: PLC0415

    columns = (progress.TextColumn("reading"), progress.BarColumn(), progress.TimeRemainingColumn())
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=total)
        yield lambda done: bar.update(task, completed=done)
