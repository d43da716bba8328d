"""`run` and `once`: the daemon, and one round of its work."""

import click

from tlsrpt_mailer import daemon, log
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, options, out
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.daemon import OnceResult
from tlsrpt_mailer.errors import Unreachable


@click.command()
def run() -> None:
    """Run the daemon: take reports in, and mail what is new.

    It reads the sources of the configuration until SIGTERM; SIGHUP reads the
    configuration again, and keeps the old one when the new one is wrong. It
    logs to standard error and prints nothing. Only one process may hold the
    database.

    Exit codes: 0 stopped, 73 a socket cannot be bound, 75 another process holds
    the database, 78 the configuration is wrong.

    \b
    Examples:
      tlsrpt-mailer run
      tlsrpt-mailer -c ./config.toml run
    """
    if options.current().now is not None:
        raise click.UsageError("--now is for commands that end; `run` goes by the clock")
    config = _loaded()
    with opening.plain_words(config):
        daemon.run(config, _loaded)


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def once(quiet: bool, json_: bool) -> None:
    """Do one round of the daemon's work, for cron and timers.

    Drains every source, judges, writes and sends the alerts that are due, and
    does the jobs that are due. Prints what it did. Listeners (lmtp, smtp) take
    nothing; they need `run`.

    Exit codes: 0 done, 69 a source or the relay could not be reached (what came
    in is stored; alerts are tried again), 75 the daemon is running, 78 the
    configuration is wrong.

    \b
    Example:
      */15 * * * * tlsrpt-mailer once --quiet
    """
    config, chosen = _loaded(quiet=quiet), options.current()
    with opening.plain_words(config):
        result = daemon.once(config, chosen.now, force=chosen.force)
    if json_:
        out.as_json(once_json(result))
    elif not quiet:
        _print(result)
    if result.problems or result.sent.deferred or result.sent.failed:
        raise Unreachable("\n".join(result.problems) or "the relay did not take every alert")


def once_json(result: OnceResult) -> dict[str, object]:
    """What ``once --json`` prints."""
    return {
        "alerts": [
            {"recipient": one.recipient, "event": one.event, "subject": one.subject}
            for one in result.letters
        ],
        "sent": result.sent.sent,
        "deferred": result.sent.deferred,
        "failed": result.sent.failed,
        "problems": list(result.problems),
    }


def _loaded(*, quiet: bool = False) -> Config:
    """The configuration, with the log set up as it says, but for *quiet*."""
    config = opening.load()
    level = config.log.level
    log.configure("warning" if quiet and level in ("debug", "info") else level, config.log.format)
    return config


def _print(result: OnceResult) -> None:
    for letter in result.letters:
        click.echo(f"{letter.recipient}: {letter.subject}")
    sent = result.sent
    click.echo(
        f"{words.plural(len(result.letters), 'alert')} written, {sent.sent} sent, "
        f"{sent.deferred} deferred, {sent.failed} refused"
    )
