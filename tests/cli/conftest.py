"""A place with a configuration, mails and a database, and a way to call the program there."""

import io
import json
import logging
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog

from tests import mails
from tests.place import asking_nobody
from tlsrpt_mailer.__main__ import run

if TYPE_CHECKING:
    from tests.servers.land import Land

NOW = "2026-11-23T12:00:00Z"


class Result(msgspec.Struct, frozen=True):
    """What a call printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # what json.loads returns
        return json.loads(self.out)


class Place:
    """Calls the program as its process does, but for the process."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.database = folder / "state/tlsrpt.db"
        self.mails = folder / "mails"
        self.mails.mkdir()
        self._capture = capture
        self.configure()

    def configure(self, more: str = "") -> None:
        text = f'[storage]\npath = "state/tlsrpt.db"\n{more}'
        if "[trust]" not in more:
            text += '[trust]\ndkim = "off"\n'
        if "[alerts]" not in more:
            text += '[alerts]\nto = ["postmaster@example.com"]\n'
        self.config.write_text(asking_nobody(text))

    def __call__(self, *words: str, now: str | None = NOW) -> Result:
        head = ["-c", str(self.config), *(["--now", now] if now else [])]
        return self.bare(*head, *words)

    def bare(self, *words: str) -> Result:
        """Without the options in front."""
        self._capture.readouterr()
        code = run(words)
        out, err = self._capture.readouterr()
        return Result(code, out, err)

    def mail(self, name: str, raw: bytes) -> Path:
        path = self.mails / name
        path.write_bytes(raw)
        return path

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with closing(sqlite3.connect(self.database)) as conn:
            return conn.execute(query).fetchall()

    def fill(self) -> None:
        """Four days of two domains, the last with an expired certificate, and what is no report."""
        for day in ("18", "19", "20", "21"):
            for domain in ("example.com", "shop.example"):
                details = (mails.detail(),) if day == "21" else ()
                report = mails.report(domain, f"2026-11-{day}", details=details)
                self.mail(f"{domain}-{day}.eml", mails.mail(report))
        fetch = mails.detail("sts-policy-fetch-error", mx=None, failed=38)
        report = mails.report("fetch.example", "2026-11-21", details=(fetch,), successful=0)
        self.mail("fetch.eml", mails.mail(report))
        self.mail("dmarc.eml", mails.dmarc_mail())
        self.mail("bad.json.gz", b"\x1f\x8b\x08garbage")
        result = self("import", str(self.mails))
        assert 0 == result.code, result.err


@pytest.fixture
def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """A place without a database."""
    monkeypatch.delenv("TLSRPT_MAILER_CONFIG", raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Place(tmp_path, capsys)
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def full(place: Place) -> Place:
    """A place whose database holds what `Place.fill` says."""
    place.fill()
    return place


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say what stands on standard input."""

    def put(raw: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))

    return put


@pytest.fixture
def looked(place: Place) -> Place:
    """A place whose domains were looked at, as `looked.fill` says."""
    from tests.cli.looked import fill  # noqa: PLC0415 - it needs Place

    fill(place)
    return place


@pytest.fixture(scope="package")
def land(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Land]":
    """The zones of `outside.ZONES`, a resolver that validates, and a host of policies."""
    from tests.cli import outside  # noqa: PLC0415 - the servers are for few
    from tests.servers.land import land  # noqa: PLC0415

    with land(tmp_path_factory.mktemp("land"), outside.ZONES) as it:
        outside.settle(it)
        yield it
