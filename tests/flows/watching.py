"""A program that looks at the domains of a sky, by a clock that a test sets."""

from pathlib import Path

import msgspec

from tests.flows.sky import Sky
from tests.flows.world import STANDING, World
from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.examine import Expected
from tlsrpt_mailer.domains.seen import Certificate, Shown
from tlsrpt_mailer.flows.acting import Saying, act
from tlsrpt_mailer.flows.checking import Checker, Looker, Settings
from tlsrpt_mailer.ports import Due, FailureRecord
from tlsrpt_mailer.report.times import DAY, Time

NOW: Time = 1_795_435_200  # 2026-11-23T12:00:00Z
HOST = "mail.example.com"
RUA = "mailto:tlsrpt@example.com"


class Watch:
    """A program that looks at the domains of a sky, by a clock that a test sets."""

    def __init__(
        self, folder: Path, *, probe: bool = False, named: bool = True, everybody: bool = False
    ) -> None:
        self.world = World(folder, now=NOW)
        self.sky, self.public = Sky(), Sky()
        self.our_mx: set[str] = set()
        """MX hosts that a [[mx]] names."""
        self._settings = Settings(
            expected=self._expected,
            is_named=lambda _domain: named,
            is_probing=probe,
            probes_all=everybody,
            control=("mx.elsewhere.example",),
            host=HOST,
        )
        self.rewire()

    def rewire(self) -> None:
        """Look at another sky from now on."""
        checks = self.world.store.checks
        looker = Looker(checks.past, self.sky, self.public, self._settings)
        self.checker = Checker(self.world.store, checks, looker, STANDING, self._settings)

    def soon(self) -> None:
        """Have all domains looked at next, whenever that is."""
        with self.world.store.writer.transaction() as conn:
            conn.execute("UPDATE looks SET next_at = 0 WHERE next_at IS NOT NULL")

    def _expected(self, due: Due, now: Time) -> Expected:
        return Expected(
            now=now,
            rua=(RUA,),
            addresses=Addresses(["tlsrpt@example.com"]),
            is_mx_only=due.is_host,
            is_our_mx=self.our_mx.__contains__,
        )

    def enrol(self, *domains: str) -> int:
        return self.world.store.checks.enrol(domains, self.world.now)

    def at(self, now: Time) -> int:
        """Look at all that is due by then."""
        self.world.now = now
        return self.checker.run(self.world.clock)

    def until(self, now: Time) -> None:
        """Follow the schedule up to that moment, as the daemon does."""
        while (due := self.next()) is not None and due <= now:
            self.at(due)
        self.world.now = now

    def next(self) -> Time | None:
        (at,) = self.world.rows("SELECT min(next_at) FROM looks")[0]
        return at  # type: ignore[return-value]

    def failures(self) -> list[FailureRecord]:
        with self.world.store.compose() as txn:
            return txn.failures()

    def states(self) -> list[tuple[str, str | None, str, str]]:
        """(code, mx, state, severity) of what is open or was told open."""
        return [
            (
                one.verdict.identity.result_type,
                one.verdict.identity.mx,
                one.verdict.state,
                one.verdict.severity,
            )
            for one in self.failures()
        ]

    def said(self, kind: str, who: str = "ana@example.com") -> None:
        saying = Saying(kind=kind, who=who, way="command")  # type: ignore[arg-type]
        numbers = [one.id for one in self.failures()]
        with self.world.store.write() as txn:
            act(txn, saying, numbers, STANDING, self.world.now)


CERTIFICATE = Certificate(
    subject="mx1.shop.example",
    issuer="CA",
    names=("mx1.shop.example",),
    not_before=NOW - 80 * DAY,
    not_after=NOW + 10 * DAY,
    cert_sha256="aa",
    cert_sha512="aa",
    key_sha256="bb",
    key_sha512="bb",
)


def shows(
    watch: Watch,
    at: Time,
    not_after: Time = CERTIFICATE.not_after,
    host: str = "mx1.shop.example",
    ip: str = "192.0.2.1",
    **more: object,
) -> None:
    """What an address of an MX host shows from then on: TLS 1.3, and all is well by default."""
    chain = (msgspec.structs.replace(CERTIFICATE, not_after=not_after),)
    fields = {
        "ip": ip,
        "at": at,
        "kind": "tls",
        "protocol": "TLSv1.3",
        "chain": chain,
        "is_trusted": not_after > at,
        "names_fit": True,
    }
    watch.sky.shows[host, ip] = Shown(**(fields | more))  # type: ignore[arg-type]
