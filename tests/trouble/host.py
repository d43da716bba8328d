"""A machine whose clock a test sets, moves and starts anew, with the program on it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from tests.mails import detail, mail, report
from tests.place import config_in
from tlsrpt_mailer import wiring
from tlsrpt_mailer.daemon import tick
from tlsrpt_mailer.flows.clock import Uptime
from tlsrpt_mailer.flows.health import SourceState
from tlsrpt_mailer.ports import RawMail, Receipt
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

NOON: Time = 1_791_979_200
"""2026-10-14T12:00:00Z."""
YEAR: Span = 365 * DAY
OFF = '[trust]\ndkim = "off"\n'
READY = SourceState("test:box", state="ok")


class Host:
    """The program without its threads, as the holder of a database in *folder*."""

    def __init__(
        self,
        folder: Path,
        relay: int | None = None,
        more: str = "",
        alerts: str = "",
        trust: str = OFF,
    ) -> None:
        to = "" if relay is None else 'to = ["ana@example.com"]\n'
        post = "" if relay is None else f"[alerts.smtp]\nport = {relay}\n"
        self.config = config_in(
            folder,
            f'{trust}[alerts]\ngroup_wait = "0s"\n{to}{alerts}{post}{more}',
        )
        self.wall: Time = NOON
        self.true: Time = NOON
        """What the clock would say if nobody had set it."""
        self.up = 1_000.0
        self.boot = "first"
        self.logs: list[Any] = []
        self._open()

    def _open(self) -> None:
        self.app = wiring.open_app(
            self.config,
            holder=True,
            clock=lambda: self.wall,
            uptime=lambda: Uptime(self.boot, self.up),
        )

    def passes(self, span: Span) -> None:
        """Time goes by."""
        self.wall += span
        self.true += span
        self.up += span

    def jumps(self, span: Span) -> None:
        """The clock is set, and no time goes by."""
        self.wall += span

    def starts_anew(self, *, away: Span = 0, up: float = 20.0) -> None:
        """The machine was switched off for a while; its clock went on."""
        self.app.close()
        self.wall += away
        self.true += away
        self.boot += "+"
        self.up = up
        self._open()

    def restarts(self) -> None:
        """The program alone."""
        self.app.close()
        self._open()

    def works(self, span: Span = 0, step: Span = 10 * MINUTE) -> None:
        """Ticks and deliveries over *span*, as the daemon does them."""
        with capture_logs() as logs:
            self._turn()
            for _ in range(span // step):
                self.passes(step)
                self._turn()
        self.logs += logs

    def _turn(self) -> None:
        self.app.look_at_clock()
        tick(self.app, [READY])
        self.app.send_due(self.app.clock())

    def said(self, event: str) -> int:
        """How often this stands in the log."""
        return sum(entry["event"] == event for entry in self.logs)

    def takes(self, domain: str = "example.com") -> Receipt:
        """A failing report about yesterday comes in."""
        return self.take(failing(domain, self.true))

    def take(self, raw: bytes) -> Receipt:
        (receipt,) = self.app.deliver([RawMail(raw, "test:box", self.app.clock())])
        return receipt

    def rows(self, sql: str, *values: object) -> Sequence[tuple[Any, ...]]:
        with self.app.store.writer.reading() as conn:
            return conn.execute(sql, values).fetchall()

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])


def failing(domain: str, at: Time) -> bytes:
    """A report about the day before *at*, with failures."""
    day = datetime.fromtimestamp(at - DAY, UTC).strftime("%Y-%m-%d")
    return mail(report(domain, day, details=(detail(mx=f"mx.{domain}"),)))


__all__ = ["DAY", "HOUR", "MINUTE", "NOON", "YEAR", "Host", "failing"]
