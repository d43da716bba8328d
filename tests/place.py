"""A program without threads, over a database in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tlsrpt_mailer import wiring
from tlsrpt_mailer.config import Config, parse
from tlsrpt_mailer.report.times import Time


def asking_nobody(text: str) -> str:
    """*text* with checks of domains off, unless it says itself how often: they are told of DNS."""
    if "schedule =" in text.partition("[checks]")[2].partition("\n[")[0]:
        return text
    off = 'schedule = "off"\n'
    if "[checks]\n" in text:
        return text.replace("[checks]\n", f"[checks]\n{off}", 1)
    return f"{text}\n[checks]\n{off}"


def config_in(folder: Path, text: str = "") -> Config:
    """A configuration whose database lies in *folder*."""
    head = f'[storage]\npath = "{folder / "tlsrpt.db"}"\n'
    # Whether signatures are believed is a matter of its own; a test of it says so.
    trust = "" if "[trust]" in text else '\n[trust]\ndkim = "off"\n'
    return parse(asking_nobody(head + text + trust), wiring.KINDS, name="config.toml")


@contextmanager
def app_in(folder: Path, text: str = "", *, now: Time | None = None) -> Iterator[wiring.App]:
    """The program of `config_in`, as the lock's holder."""
    app = wiring.open_app(config_in(folder, text), holder=True, now=now)
    try:
        yield app
    finally:
        app.close()
