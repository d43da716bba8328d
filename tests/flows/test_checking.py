"""Looks at domains, from what is due to the mail about what they found."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest

from tests.flows.office import office
from tests.flows.sky import RIGHT, Sky
from tests.flows.world import STANDING, World
from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.examine import Expected
from tlsrpt_mailer.domains.seen import Certificate, Shown
from tlsrpt_mailer.flows import checking
from tlsrpt_mailer.flows.acting import Saying, act
from tlsrpt_mailer.flows.checking import BLOCKED, SURE, WATCHED, Checker, Looker, Settings
from tlsrpt_mailer.ports import Due, FailureRecord
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time

NOW: Time = 1_795_435_200
HOST = "mail.example.com"
RUA = "mailto:tlsrpt@example.com"


class Watch:
    """A program that looks at the domains of a sky, by a clock that a test sets."""

    def __init__(self, folder: Path, *, probe: bool = False, named: bool = True) -> None:
        self.world = World(folder, now=NOW)
        self.sky, self.public = Sky(), Sky()
        settings = Settings(
            expected=self._expected,
            is_named=lambda _domain: named,
            is_probing=probe,
            host=HOST,
        )
        checks = self.world.store.checks
        looker = Looker(checks.past, self.sky, self.public, settings)
        self.checker = Checker(self.world.store, checks, looker, STANDING, settings)

    def _expected(self, due: Due, now: Time) -> Expected:
        return Expected(
            now=now,
            rua=(RUA,),
            addresses=Addresses(["tlsrpt@example.com"]),
            is_mx_only=due.is_host,
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


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path)
    yield made
    made.world.store.close()


@pytest.fixture
def probing(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path, probe=True)
    yield made
    made.world.store.close()


# ---------------------------------------------------------------------- stories


def test_a_record_that_disappears_is_told_and_its_return_as_well(watch: Watch) -> None:
    """
    The story of a zone that moved: right for a day, gone, confirmed, told; published again, over.

    Nobody is told by one look alone.
    """
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    watch.until(NOW + DAY)
    assert [] == watch.states()
    watch.sky.put("_smtp._tls.shop.example", "TXT")

    gone = watch.next()
    assert gone is not None
    watch.at(gone)
    assert [("tlsrpt-gone", None, "new", "low")] == watch.states()
    assert gone + SURE == watch.next()
    watch.at(gone + SURE)
    assert [("tlsrpt-gone", None, "new", "warning")] == watch.states()
    assert gone + SURE + WATCHED == watch.next()
    (record,) = watch.failures()
    assert "finding" == record.verdict.identity.kind
    assert RIGHT in record.verdict.facts["line"]
    assert (NOW, gone) < (record.verdict.clean_before, record.verdict.first_seen + 1)

    watch.sky.put("_smtp._tls.shop.example", "TXT", RIGHT)
    watch.at(gone + SURE + WATCHED)
    (over,) = watch.world.rows("SELECT state, resolved_at FROM failures")
    assert ("resolved", gone + SURE + WATCHED) == over


def test_an_mx_that_the_policy_does_not_list_is_critical_under_enforce(watch: Watch) -> None:
    """Mail moves to another host, the policy does not: senders refuse."""
    watch.sky.domain("shop.example", mode="enforce")
    watch.enrol("shop.example")
    watch.until(NOW + DAY)
    watch.sky.put("shop.example", "MX", "10 mx.new.example")
    watch.sky.put("mx.new.example", "A", "192.0.2.9")

    watch.until(NOW + 2 * DAY)

    assert ("mta-sts-uncovered-mx", "mx.new.example", "critical") in [
        (code, mx, severity) for code, mx, _, severity in watch.states()
    ]


def test_dns_that_does_not_answer_changes_nothing(watch: Watch) -> None:
    """No finding begins or ends by it; the domain is looked at again within the hour."""
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    watch.until(NOW + DAY)
    watch.sky.dark |= {"_smtp._tls.shop.example", "_mta-sts.shop.example", "shop.example"}

    at = watch.next()
    assert at is not None
    watch.at(at)

    assert {"tlsrpt-trouble"} >= {
        code for code, *_ in watch.states() if not code.endswith("-trouble")
    }
    (row,) = watch.world.rows("SELECT record, at, ok_at FROM looks WHERE domain = 'shop.example'")
    assert ("right", at) == row[:2]
    assert row[2] != at


def test_a_word_of_a_person_is_looked_at_within_minutes(watch: Watch) -> None:
    """Who says "fixed" learns soon whether it is: the domain is looked at anew, then it is over."""
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    watch.until(NOW + DAY)
    watch.sky.put("_smtp._tls.shop.example", "TXT")
    watch.until(NOW + 2 * DAY)
    watch.said("fixed")

    assert "fixed?" == watch.states()[0][2]
    assert watch.world.now + 5 * MINUTE >= (watch.next() or 0)
    watch.sky.put("_smtp._tls.shop.example", "TXT", RIGHT)
    watch.until(watch.world.now + 5 * MINUTE)
    assert [("resolved",)] == watch.world.rows("SELECT state FROM failures")


def test_a_domain_that_never_had_a_record_is_a_gap_and_mails_nobody(watch: Watch) -> None:
    """Five hundred parked domains are no five hundred failures."""
    watch.sky.domain("parked.example", record=None)
    watch.enrol("parked.example")

    watch.until(NOW + 3 * DAY)

    assert [] == watch.states()
    (row,) = watch.world.rows("SELECT record FROM looks WHERE domain = 'parked.example'")
    assert ("none",) == row


def test_an_mx_host_with_tlsa_is_looked_at_as_well(watch: Watch) -> None:
    """DANE senders look for the record of the MX host: it is in the inventory by itself."""
    watch.sky.domain("shop.example")
    watch.sky.put("_25._tcp.mx1.shop.example", "TLSA", "3 1 1 " + "ab" * 32)
    watch.enrol("shop.example")

    watch.until(NOW + HOUR)

    assert [("mx1.shop.example", 1, "none"), ("shop.example", 0, "right")] == watch.world.rows(
        "SELECT domain, is_host, record FROM looks ORDER BY domain"
    )
    watch.sky.put("_25._tcp.mx1.shop.example", "TLSA")
    watch.sky.put("shop.example", "MX", "10 mx2.shop.example")
    watch.until(NOW + 2 * DAY)
    watch.enrol("shop.example")
    assert [(None,)] == watch.world.rows("SELECT next_at FROM looks WHERE is_host = 1")


# ------------------------------------------------------------------------- probe

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


def shows(watch: Watch, at: Time, not_after: Time = CERTIFICATE.not_after) -> None:
    """What mx1.shop.example shows from then on."""
    chain = (Certificate(**{**_fields(), "not_after": not_after}),)
    watch.sky.shows["mx1.shop.example", "192.0.2.1"] = Shown(
        ip="192.0.2.1",
        at=at,
        kind="tls",
        protocol="TLSv1.3",
        chain=chain,
        is_trusted=True,
        names_fit=True,
    )


def _fields() -> dict[str, object]:
    return {name: getattr(CERTIFICATE, name) for name in CERTIFICATE.__struct_fields__}


def test_a_certificate_near_its_end_is_told_and_renewed(probing: Watch) -> None:
    """Ten days before: a warning; renewed, it is over."""
    probing.sky.domain("shop.example", mode="enforce")
    shows(probing, NOW)
    probing.enrol("shop.example")

    probing.until(NOW + HOUR)
    assert [("mx-certificate-expiring", "mx1.shop.example", "new", "warning")] == probing.states()
    shows(probing, NOW + 2 * HOUR, NOW + 90 * DAY)
    probing.until(NOW + 3 * HOUR)
    assert [("resolved",)] == probing.world.rows("SELECT state FROM failures")


def test_a_blocked_port_is_one_finding_about_this_host(probing: Watch) -> None:
    """Nothing is said of domains whose MX could not be reached from here."""
    for name in ("a.example", "b.example"):
        probing.sky.domain(name, mode="enforce")
    probing.sky.blocked = "port 25 of nobody answers"
    probing.enrol("a.example", "b.example")

    probing.until(NOW + HOUR)
    assert [(BLOCKED, None)] == [(code, mx) for code, mx, *_ in probing.states()]
    (record,) = probing.failures()
    assert HOST == record.verdict.identity.domain
    probing.sky.blocked = None
    for name in ("a.example", "b.example"):
        probing.sky.shows[f"mx1.{name}", "192.0.2.1"] = Shown(
            ip="192.0.2.1", at=NOW + 2 * DAY, kind="tls", protocol="TLSv1.3"
        )
    probing.until(NOW + 3 * DAY)
    assert [("resolved",)] == probing.world.rows(
        "SELECT state FROM failures WHERE result_type = ?", BLOCKED
    )


def test_domains_that_strangers_named_lead_to_no_private_address(tmp_path: Path) -> None:
    """What no [[domains]] names is looked at by another scout, and never connected to."""
    watch = Watch(tmp_path, probe=True, named=False)
    watch.public.domain("stranger.example", mode="enforce")
    watch.enrol("stranger.example")

    watch.until(NOW + HOUR)
    watch.world.store.close()

    assert [] == watch.sky.asked
    assert ("stranger.example", "page") in watch.public.asked
    assert not any(ip.startswith("192.0.2.") for _, ip in watch.public.asked)


# ---------------------------------------------------------------------- schedule


def test_ten_domains_are_looked_at_once_a_day_and_spread(watch: Watch) -> None:
    """Entered together, they do not stay together; and each has its look every day."""
    names = [f"d{at}.example" for at in range(10)]
    for name in names:
        watch.sky.domain(name)
    assert 10 == watch.enrol(*names)
    assert 0 == watch.enrol(*names)

    assert 10 == watch.at(NOW)
    times = {at for (at,) in watch.world.rows("SELECT next_at FROM looks")}
    assert len(times) > 5
    assert all(NOW + DAY - DAY // 8 < at <= NOW + DAY for at in times)  # type: ignore[operator]
    watch.until(NOW + DAY)
    assert [(10,)] == watch.world.rows("SELECT count(*) FROM looks WHERE at > ?", NOW)


def test_what_is_ours_no_more_is_looked_at_no_more(watch: Watch) -> None:
    """And comes back when it is ours again."""
    for name in ("a.example", "b.example"):
        watch.sky.domain(name)
    watch.enrol("a.example", "b.example")
    watch.at(NOW)

    watch.enrol("a.example")
    watch.until(NOW + 3 * DAY)
    assert [("b.example", NOW)] == watch.world.rows(
        "SELECT domain, at FROM looks WHERE next_at IS NULL"
    )
    assert 1 == watch.enrol("a.example", "b.example")
    assert 1 == watch.at(NOW + 3 * DAY)


def test_a_stop_is_heard_between_portions(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon leaves within its two seconds, and what was looked at is kept."""
    monkeypatch.setattr(checking, "BATCH", 2)
    names = [f"d{at}.example" for at in range(6)]
    watch.enrol(*names)
    stop, beats = Event(), []

    def beat() -> None:
        beats.append(1)
        stop.set()

    done = watch.checker.run(watch.world.clock, stop, beat)

    assert (2, 1) == (done, len(beats))
    assert [(2,)] == watch.world.rows("SELECT count(*) FROM looks WHERE at IS NOT NULL")


def test_an_older_look_writes_nothing(watch: Watch) -> None:
    """`check` beside the daemon: whoever looked last has the word."""
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    due = [Due("shop.example", False)]
    early = watch.checker.looker.look(due, NOW)
    watch.sky.put("_smtp._tls.shop.example", "TXT")
    late = watch.checker.looker.look(due, NOW + MINUTE)

    watch.checker.save(late, NOW + MINUTE)
    watch.checker.save(early, NOW + MINUTE)

    assert [("none", NOW + MINUTE)] == watch.world.rows("SELECT record, at FROM looks")


# ------------------------------------------------------------------------- mails


def subjects(letters: Sequence[object]) -> list[str]:
    return [one.subject for one in letters]  # type: ignore[attr-defined]


def test_the_owner_is_mailed_when_it_is_gone_and_when_it_is_back(watch: Watch) -> None:
    """One mail each, with the record to publish in it; in between somebody can acknowledge it."""
    people = office(watch.world)
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    watch.until(NOW + DAY)
    assert [] == people.compose()
    watch.sky.put("_smtp._tls.shop.example", "TXT")
    watch.until(NOW + 2 * DAY)

    (told,) = people.compose()
    assert "WARNING shop.example: TLSRPT record gone [tlsrpt 1]" == told.subject
    assert RIGHT in people.text(told)
    watch.said("ack")
    assert [] == people.compose()
    watch.sky.put("_smtp._tls.shop.example", "TXT", RIGHT)
    watch.until(NOW + 3 * DAY)
    (over,) = people.compose()
    assert "RESOLVED shop.example: TLSRPT record gone [tlsrpt 1]" == over.subject
    assert "It is over for shop.example" in people.text(over)
