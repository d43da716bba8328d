"""What `check` and `record` have in common: which domains, and how far it is."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.ports import Due
from tlsrpt_mailer.report.hosts import normalise_host


def due(config: Config, names: Sequence[str], mine: Mapping[str, Due]) -> list[Due]:
    """
    The domains that *names* say, in normal form; without any, all of ours.

    Args:
        mine: Those that are looked at by themselves.

    Raises:
        click.UsageError: One is no domain name.
        NoSuch: None is named, and none is known.
    """
    if names:
        wanted = [normal(name) for name in names]
        return [mine.get(name) or Due(name, False) for name in dict.fromkeys(wanted)]
    every = list(mine.values()) or [Due(name, False) for name in wiring.named_domains(config)]
    if not every:
        raise NoSuch("no domain is known to be yours: name one, or say [[domains]]")
    return every


def normal(name: str) -> str:
    """A name that a person typed, as it stands in DNS."""
    found = normalise_host(name)
    if found is None or "." not in found:
        raise click.UsageError(f'"{log.safe(name, 60)}" is no domain name')
    return found


@contextmanager
def progress(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; yields what moves it on."""
    if not (shown and sys.stderr.isatty()):
        yield lambda _done: None
        return
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking at domains", total=total)
        yield lambda done: bar.advance(task, done)
