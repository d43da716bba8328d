"""`prune` and `backup`."""

from pathlib import Path

import click
import msgspec

from tlsrpt_mailer import config as configuration
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, out
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.report.times import Span
from tlsrpt_mailer.store import retention


@click.command()
@click.option("--force", is_flag=True, help="Believe the clock, however far it has jumped.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def prune(force: bool, json_: bool) -> None:
    """Drop what is older than [storage] keeps; the daemon does so daily.

    Reports go into the daily sums before they are dropped. Prints how much
    went. After a jump of the clock by over an hour, or a month away, nothing
    goes for a day: else a wrong clock would drop it all. --force does not wait.
    Exit codes: 0 done, 1 there is no database, 75 it cannot be written now, or
    the clock is in doubt.

    \b
    Example:
      tlsrpt-mailer prune
    """
    with opening.writing() as app:
        app.look_at_clock()
        if app.clock_doubt is not None and not force:
            raise Temporary(_jumped(app.clock_doubt))
        pruned = msgspec.structs.asdict(app.prune(app.clock(), force=force))
    if json_:
        out.as_json(pruned)
        return
    gone = [
        f"{words.number(count)} {name.replace('_', ' ')}" for name, count in pruned.items() if count
    ]
    click.echo("Dropped: " + (", ".join(gone) or "nothing, all of it is younger"))


def _jumped(seconds: Span) -> str:
    way = "ahead of" if seconds > 0 else "behind"
    return (
        f"the clock is {words.length(abs(seconds))} {way} what was to be expected, so nothing was"
        " dropped.\nIf it is right, wait for a day, or say --force."
    )


@click.command()
@click.argument("file", metavar="FILE")
def backup(file: str) -> None:
    """Copy the database to FILE while the daemon runs.

    FILE must not exist yet; it is a whole database of mode 0600, and belongs to
    whoever asks for it. Prints its size. Exit codes: 0 copied, 1 there is no
    database, 73 FILE exists or cannot be written.

    \b
    Example:
      tlsrpt-mailer backup "/var/backups/tlsrpt-$(date +%F).db"
    """
    found = opening.load()
    with opening.reading(found):
        # Only to say in plain words where there is none.
        pass
    size = retention.backup(configuration.database(found), Path(file).absolute())
    click.echo(f"{file}: {words.number(size)} bytes")
