"""What the log looks like, wherever it goes."""

import io
import json
import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from tlsrpt_mailer import log as logs

log = structlog.get_logger()


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the log of the other tests as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


def written(format: logs.Format, level: logs.Level = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, format, stream=stream)
    return stream


def test_an_event_is_one_line_for_a_terminal():
    """Time, level, event and facts stand on one line that can be grepped."""
    stream = written("console")

    log.info("message.stored", organization="Google Inc.", reports=1, reason=None, odd='a"b')

    time, rest = stream.getvalue().split(" ", 1)
    assert time.endswith("Z")
    facts = 'organization="Google Inc." reports=1 reason=- odd="a\\"b"'
    assert f"info     message.stored {facts}\n" == rest


def test_the_journal_is_told_how_bad_it_is():
    """The journal reads <N> in front of a line, and has the time itself."""
    stream = written("journal", "debug")

    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)("a.b", n=1)

    assert [f"<{n}>a.b n=1" for n in (7, 6, 4, 3, 2)] == stream.getvalue().splitlines()


def test_json_is_one_object_a_line():
    """Log shippers read each line by itself."""
    stream = written("json")

    log.warning("a.b", n=1, names=("x", "y"))

    event = json.loads(stream.getvalue())
    assert ("a.b", "warning", 1, "('x', 'y')") == (
        event["event"],
        event["level"],
        event["n"],
        event["names"],
    )


@pytest.mark.parametrize("format", ["console", "journal", "json"])
def test_a_report_cannot_write_to_the_terminal(format: logs.Format):
    """Escape sequences, line ends and characters that turn the writing stay visible text."""
    stream = written(format)

    log.info("a.b", organization="x\x1b[31m\r\n<2>forged\u202e\u2028\x9b\ud800")

    text = stream.getvalue()
    assert 1 == len(text.splitlines())
    assert text.removesuffix("\n").isprintable()


def test_a_value_beyond_reason_is_cut():
    """A sender cannot fill the disk by way of the log."""
    stream = written("console")

    log.info("a.b", text="x" * 1_000_000)

    assert len(stream.getvalue()) < 2_200


def test_a_secret_is_not_logged_even_by_mistake():
    """Whoever logs a password logs that it is not shown."""
    stream = written("json")

    log.info("a.b", password="sesame", token="sesame", secret="sesame")

    assert "sesame" not in stream.getvalue()


def test_a_traceback_stays_readable_and_keeps_its_priority():
    """Each line of a traceback is an entry of its own in the journal, as bad as the event."""
    stream = written("journal")

    error = ValueError("bad\x1b[31m")

    log.error("job.failed", exc_info=error)

    lines = stream.getvalue().splitlines()
    assert "<3>job.failed" == lines[0]
    assert all(line.startswith("<3>") and line.isprintable() for line in lines)
    assert "<3>ValueError: bad\\x1b[31m" == lines[-1]


def test_libraries_are_heard_from_warning_on():
    """What imapclient or apscheduler complain about is in the same log; their chatter is not."""
    stream = written("console")

    logging.getLogger("imapclient").info("chatter")
    logging.getLogger("imapclient").warning("odd %s", "thing")
    logging.getLogger("own").log(35, "between")

    lines = stream.getvalue().splitlines()
    assert ['library.said logger=imapclient text="odd thing"', "library.said logger=own"] == [
        line.split(" warning  ")[1].removesuffix(" text=between") for line in lines
    ]


def test_the_level_can_change_without_a_restart():
    """SIGHUP with another level takes effect on loggers that exist already."""
    first = written("console", "error")
    log.info("a.b")
    second = written("console", "debug")

    log.debug("a.b")

    assert "" == first.getvalue()
    assert "a.b" in second.getvalue()


def test_the_form_follows_from_where_it_runs(tmp_path):
    """The journal's form where standard error really is the journal, else a terminal's."""
    with (tmp_path / "log").open("w") as stream:
        there = os.fstat(stream.fileno())
        ours = f"{there.st_dev}:{there.st_ino}"

        assert "journal" == logs.fitting_format(stream, {"JOURNAL_STREAM": ours})
        assert "console" == logs.fitting_format(stream, {"JOURNAL_STREAM": "1:2"})
        assert "console" == logs.fitting_format(stream, {})
    assert "console" == logs.fitting_format(io.StringIO(), {"JOURNAL_STREAM": ours})


@pytest.mark.parametrize("trouble", [OSError(28, "No space left on device"), ValueError("closed")])
def test_a_line_that_cannot_be_written_is_no_error(trouble: Exception):
    """A full disk under the log, or a log that was closed, costs no mail."""
    tried: list[str] = []

    class Broken(io.StringIO):
        def write(self, text: str, /) -> int:
            tried.append(text)
            raise trouble

        def flush(self) -> None:
            raise trouble

    logs.configure("info", "console", stream=Broken())

    log.info("message.stored", reports=1)

    assert 1 == len(tried)
