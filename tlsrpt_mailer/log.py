"""
Logging: one line an event, to standard error, in the form of where it runs.

Events are ``noun.happened`` with facts as key-values; each stands in
docs/reference/log-events.md. Values come from reports and servers, so every
one is made harmless here: one line, no control characters, no escape
sequences, no characters that turn the direction of writing.
"""

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Literal, TextIO, TypeAlias, cast

# For its own tracebacks, which nobody wants in a log, structlog.dev would load rich: 6 MiB.
_is_lean = "rich" not in sys.modules
if _is_lean:
    sys.modules["rich"] = cast("Any", None)
import structlog  # noqa: E402

if _is_lean:
    del sys.modules["rich"]

Format: TypeAlias = Literal["console", "json", "journal"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]

MAX_CHARS = 2_000
"""Of one value; what is longer is cut."""

# syslog's severities (RFC 5424, 6.2.1), as systemd reads them in front of a line: sd-daemon(3).
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_SECRET_KEYS = frozenset({"password", "token", "secret"})


def configure(level: Level, format: Format | None = None, *, stream: TextIO | None = None) -> None:
    """
    Set up structlog, and send what libraries log at warning or above the same way.

    May be called again, as at a reload. *format* None stands for `fitting_format`.
    """
    stream = stream or sys.stderr
    chosen = format or fitting_format(stream, os.environ)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            structlog.processors.format_exc_info,
            _harmless,
            {"json": _json, "journal": _journal, "console": _console}[chosen],
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Forgiving(stream))),
        cache_logger_on_first_use=False,  # a reload changes the level
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)


class _Forgiving:
    """
    *stream*, which makes no error of a full disk under it, a reader that went, or its own end.

    A line of the log is not worth a mail: where it is written the mail may be committed already.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def fitting_format(stream: TextIO, environ: Mapping[str, str]) -> Format:
    """Journal where *stream* is connected to systemd's journal (systemd.exec(5)), else console."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return "console"
    named = environ.get("JOURNAL_STREAM", "")
    return "journal" if named == f"{there.st_dev}:{there.st_ino}" else "console"


def safe(text: str, limit: int = MAX_CHARS) -> str:
    """*text* as one line that a terminal shows and does not obey, cut after *limit* characters."""
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    if cut.isprintable():
        return cut
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut
    )


class _Libraries(logging.Handler):
    """Hands what a library logs on to our own log."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger()
        level = record.levelname.lower()
        method = level if level in _PRIORITIES else "warning"
        getattr(logger, method)(
            "library.said", logger=record.name, text=record.getMessage(), exc_info=record.exc_info
        )


_Event: TypeAlias = MutableMapping[str, Any]  # structlog's own type for what passes through


def _harmless(_logger: object, _method: str, event: _Event) -> _Event:
    for key, value in event.items():
        if key in _SECRET_KEYS:
            event[key] = "(not shown)"
        elif isinstance(value, str) and key != "exception":
            event[key] = safe(value)
        elif not isinstance(value, str | int | float | bool | None):
            event[key] = safe(str(value))
    return event


def _json(logger: object, method: str, event: _Event) -> str:
    rendered = structlog.processors.JSONRenderer()(logger, method, event)
    return rendered if isinstance(rendered, str) else rendered.decode()


def _console(_logger: object, _method: str, event: _Event) -> str:
    when, level = event.pop("timestamp"), event.pop("level")
    lines = _lines(event)
    return "\n".join([f"{when} {level:<8} {lines[0]}", *lines[1:]])


def _journal(_logger: object, _method: str, event: _Event) -> str:
    # The journal has the time itself; each line of a traceback is an entry, so each says how bad.
    del event["timestamp"]
    prefix = f"<{_PRIORITIES[event.pop('level')]}>"
    return "\n".join(prefix + line for line in _lines(event))


def _lines(event: _Event) -> list[str]:
    """The event as ``noun.happened key=value ...``, then the lines of a traceback."""
    traceback = event.pop("exception", "")
    facts = [f"{key}={_quoted(value)}" for key, value in event.items() if key != "event"]
    return [" ".join([str(event["event"]), *facts]), *map(safe, traceback.splitlines())]


def _quoted(value: object) -> str:
    text = "-" if value is None else str(value)
    if text and not any(c in text for c in ' "='):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
