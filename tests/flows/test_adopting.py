"""Domains that nobody named are adopted by their records, and what was held counts then."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path

import pytest

from tests import mails
from tests.flows.world import organisational
from tlsrpt_mailer.domains.ours import Addresses, Ours
from tlsrpt_mailer.flows import adopting
from tlsrpt_mailer.flows.adopting import Findings, Reclaimer, adopt, nothing_to_compare
from tlsrpt_mailer.flows.ingest import Ingest, Settings
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.flows.trusting import Trust
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.ports import HeldReport, RawMail, Receipt
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store
from tlsrpt_mailer.trust.model import KeyAnswer, Verdict

NOW: Time = 1_791_979_200
HERE = Addresses(["tlsrpt@example.com"])
NAMES_US = KeyAnswer("found", (b"v=TLSRPTv1; rua=mailto:tlsrpt@example.com",))
NAMES_OTHERS = KeyAnswer("found", (b"v=TLSRPTv1; rua=mailto:x@y.example",))
ABSENT = KeyAnswer("absent")
TROUBLE = KeyAnswer("trouble", error="timed out")


class Dns:
    """Answers by name; each question takes a second of its own clock."""

    def __init__(self, answers: Mapping[str, KeyAnswer], default: KeyAnswer = ABSENT) -> None:
        self.answers = dict(answers)
        self.default = default
        self.asked: list[str] = []
        self.seconds = 0.0

    def clock(self) -> float:
        return self.seconds

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        assert within is not None
        self.seconds += 1
        domain = name.removeprefix("_smtp._tls.")
        assert domain != name
        self.asked.append(domain)
        return self.answers.get(domain, self.default)


class House:
    """A store, what takes mails into it, and who knows whose they are; no [[domains]]."""

    def __init__(self, store: SqliteStore, *names: str) -> None:
        self.store = store
        self.now = NOW
        self.findings = Findings(store.adoptions)
        self.signer = "google.com"
        self.use(*names)

    def use(self, *names: str) -> None:
        """As a reload with these in [[domains]]."""
        self.ours = Ours(names, (), self.findings.of)
        settings = Settings(
            read=lambda raw, name: read(raw, file_name=name),
            organisational=organisational,
            standing=Standing(frozenset({"google.com"})),
            trust=Trust(
                dkim="require",
                verify=lambda *_: Verdict("pass", "", self.signer),
                is_ours=self.ours.ownership,
            ),
        )
        self.ingest = Ingest(self.store, settings, lambda: self.now)
        self.reclaimer = Reclaimer(self.store.adoptions, self.ingest.deliver, self.ours)

    def take(self, domain: str, day: str = "2026-10-13") -> Receipt:
        report = mails.report(domain, day, details=(mails.detail(),))
        (receipt,) = self.ingest.deliver([RawMail(mails.mail(report), "test:box", self.now)])
        return receipt

    def adopt(self, dns: Dns, whose: Callable[[str], str | None] = str) -> list[str]:
        found = adopt(self.store.adoptions, dns, HERE, self.now, dns.clock, whose)
        self.findings.forget()
        return found

    def counted(self) -> list[str]:
        with self.store.writer.reading() as conn:
            rows = conn.execute("SELECT DISTINCT domain FROM windows ORDER BY domain").fetchall()
        return [name for (name,) in rows]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    store = open_store(tmp_path / "tlsrpt.db", create=True, clock=lambda: NOW)
    yield House(store)
    store.close()


def said(house: House, domain: str) -> tuple[str, str | None, int | None]:
    with house.store.writer.reading() as conn:
        row = conn.execute(
            "SELECT state, said, next_try FROM adoptions WHERE domain = ?", (domain,)
        ).fetchone()
    return row[0], row[1], None if row[2] is None else row[2] - house.now


# ---------------------------------------------------------------------- adopting


def test_a_domain_whose_record_names_us_is_adopted_and_counts(house: House):
    """Its first report is held, and counts once DNS has said that reports are to come here."""
    assert "held" == house.take("mine.example").outcome
    assert [] == house.counted()

    adopted = house.adopt(Dns({"mine.example": NAMES_US}))

    assert ["mine.example"] == adopted
    assert 1 == house.reclaimer.reclaim(adopted)
    assert ["mine.example"] == house.counted()
    assert "stored" == house.take("mine.example", "2026-10-12").outcome
    assert (
        "adopted",
        "its record sends reports to tlsrpt@example.com",
        None,
    ) == said(house, "mine.example")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (NAMES_OTHERS, "its record sends reports to x@y.example, which is not here"),
        (ABSENT, "no TLSRPT record: it publishes none"),
    ],
)
def test_a_domain_whose_record_does_not_stays_held(house: House, answer: KeyAnswer, why: str):
    """Nobody is alerted of a stranger's domain; the record is looked up daily, later weekly."""
    house.take("stranger.example")
    dns = Dns({}, answer)
    waits = []
    for _ in range(16):
        assert [] == house.adopt(dns)
        state, reason, wait = said(house, "stranger.example")
        assert ("proposed", why) == (state, reason)
        assert wait is not None
        waits.append(wait // DAY)
        house.now += wait

    assert [1] * 13 + [7] * 3 == waits
    assert 16 == len(dns.asked)
    assert 0 == house.reclaimer.reclaim()
    assert [] == house.counted()


def test_a_record_that_names_us_later_is_found(house: House):
    """Who publishes the record after the first report waits a day at most."""
    house.take("late.example")
    house.adopt(Dns({}))
    house.now += DAY

    adopted = house.adopt(Dns({"late.example": NAMES_US}))

    assert ["late.example"] == adopted
    assert 1 == house.reclaimer.reclaim(adopted)


def test_an_adopted_domain_is_asked_for_no_more(house: House):
    """It stays ours, whatever its record says later."""
    house.take("mine.example")
    house.adopt(Dns({"mine.example": NAMES_US}))
    house.now += 30 * DAY
    dns = Dns({}, NAMES_OTHERS)

    assert [] == house.adopt(dns)
    assert [] == dns.asked
    assert "stored" == house.take("mine.example", "2026-11-11").outcome


def test_dns_in_trouble_is_asked_again_soon_and_then_less(house: House):
    """Nothing is decided; the wait is half the time so far, five minutes to six hours."""
    house.take("mine.example")
    waits = []
    for later in (0, HOUR, 10 * DAY):
        house.now = NOW + later
        house.store.adoptions.look_again(house.now)
        assert [] == house.adopt(Dns({}, TROUBLE))
        state, reason, wait = said(house, "mine.example")
        assert ("proposed", "DNS does not answer: timed out") == (state, reason)
        waits.append(wait)

    assert [5 * MINUTE, 30 * MINUTE, 6 * HOUR] == waits


def test_days_without_dns_do_not_count_as_looks(house: House):
    """After an outage of a week a record is still looked up daily."""
    house.take("mine.example")
    for _ in range(40):
        house.store.adoptions.look_again(house.now)
        house.adopt(Dns({}, TROUBLE))
    house.store.adoptions.look_again(house.now)
    house.adopt(Dns({}))

    assert DAY == said(house, "mine.example")[2]


def test_alerts_do_not_wait_for_a_dns_that_is_down(house: House):
    """A run ends after three questions without an answer; the next run asks for others."""
    for n in range(10):
        house.take(f"d{n}.example")
    dns = Dns({}, TROUBLE)
    house.adopt(dns)
    first = list(dns.asked)
    house.adopt(dns)

    assert 3 == len(first)
    assert 6 == len(set(dns.asked))


def test_a_run_has_an_end(house: House, monkeypatch: pytest.MonkeyPatch):
    """Slow answers stop it as well; what is left is asked for in the next one."""
    for n in range(8):
        house.take(f"d{n}.example")
    monkeypatch.setattr(adopting, "SECONDS", 5.0)
    dns = Dns({})
    house.adopt(dns)

    assert 5 == len(dns.asked)


def test_past_the_most_no_more_are_adopted(house: House, monkeypatch: pytest.MonkeyPatch):
    """A wildcard record of a stranger cannot fill the list; the operator reads what to do."""
    for name in ("a.example", "b.example"):
        house.take(name)
    monkeypatch.setattr(house.store.adoptions, "_most_adopted", 1)

    adopted = house.adopt(Dns({}, NAMES_US))

    assert ["a.example"] == adopted
    state, reason, _ = said(house, "b.example")
    assert "proposed" == state
    assert "too many domains are adopted: name yours in [[domains]]" in str(reason)


def test_a_wildcard_record_adopts_a_thousand_names_at_most(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    """It fills a share of the list alone; other organisations have the rest, the operator reads."""
    monkeypatch.setattr(adopting, "MOST_BELOW", 2)
    for name in ("a.wild.example", "b.wild.example", "c.wild.example", "mine.example"):
        house.take(name)
    adopted = house.adopt(Dns({"a.wild.example": NAMES_US}), organisational)
    house.now += DAY
    adopted += house.adopt(Dns({}, NAMES_US), organisational)

    assert ["a.wild.example", "mine.example", "b.wild.example"] == sorted(
        adopted, key=lambda name: (name != "a.wild.example", name != "mine.example")
    )
    state, reason, wait = said(house, "c.wild.example")
    assert ("proposed", DAY) == (state, wait)
    assert "2 domains of wild.example are adopted: name yours in [[domains]]" in str(reason)


def test_silent_name_servers_of_one_organisation_are_one_trouble(house: House):
    """Its other names wait for the next run; those of others are looked up in this one."""
    for n in range(9):
        house.take(f"a{n}.evil.example")
    house.take("mine.example")
    dns = Dns({"mine.example": NAMES_US}, TROUBLE)

    assert ["mine.example"] == house.adopt(dns, organisational)
    assert 2 == len(dns.asked)


@pytest.mark.parametrize(
    ("reporter", "by", "is_known"),
    [("google.com", "google.com", 1), ("a.example", "a.example", 0)],
)
def test_it_is_noted_who_speaks_of_a_domain(house: House, reporter: str, by: str, is_known: int):
    """Only a reporter that was known from the start has no share to keep to."""
    house.signer = reporter
    house.take("mine.example")

    with house.store.writer.reading() as conn:
        assert [(by, is_known)] == conn.execute(
            "SELECT proposer, by_known FROM adoptions"
        ).fetchall()


def test_without_an_address_of_ours_nothing_is_asked_but_it_is_said(house: House):
    """Who is to be told why everything is held can be: the domains have been looked at."""
    house.take("mine.example")
    nothing_to_compare(house.store.adoptions, NOW)
    nothing_to_compare(house.store.adoptions, NOW)

    assert (
        "proposed",
        "no address of ours is known: say checks.rua or [[domains]]",
        DAY,
    ) == said(house, "mine.example")
    with house.store.writer.reading() as conn:
        assert [(1,)] == conn.execute("SELECT tries FROM adoptions").fetchall()


# ------------------------------------------------------------------- reading again


def test_what_was_held_counts_after_a_reload_that_names_it(house: House):
    """The operator adds [[domains]]; the strangers' reports stay where they are."""
    house.use("other.example")
    assert "held" == house.take("shop.example").outcome
    assert "held" == house.take("stranger.example").outcome
    assert 0 == house.reclaimer.reclaim()

    house.use("other.example", "shop.example")

    assert 1 == house.reclaimer.reclaim()
    assert ["shop.example"] == house.counted()
    assert 0 == house.reclaimer.reclaim()


def test_a_report_that_was_held_in_between_is_found(house: House):
    """One that came in while its domain was being adopted does not wait for the next start."""
    house.take("mine.example")
    adopted = house.adopt(Dns({"mine.example": NAMES_US}))
    house.reclaimer.reclaim(adopted)
    house.store.adoptions.say(["mine.example"], "proposed", NOW, "")
    house.findings.forget()
    assert "held" == house.take("mine.example", "2026-10-12").outcome
    house.store.adoptions.say(["mine.example"], "adopted", NOW, "")
    house.findings.forget()

    assert 1 == house.reclaimer.reclaim()


def test_what_stays_held_is_looked_at_once(house: House, monkeypatch: pytest.MonkeyPatch):
    """A hundred thousand strangers' reports cost nothing every few seconds."""
    house.use("other.example")
    for day in range(1, 4):
        house.take("stranger.example", f"2026-09-{day:02}")
    looked_at: list[int] = []
    held = house.store.adoptions.held

    def noting(after: int, limit: int) -> list[HeldReport]:
        found = held(after, limit)
        looked_at.extend(one.id for one in found)
        return found

    monkeypatch.setattr(house.store.adoptions, "held", noting)
    for _ in range(3):
        house.reclaimer.reclaim()

    assert 3 == len(looked_at) == len(set(looked_at))


def test_many_held_mails_are_read_in_portions(house: House, monkeypatch: pytest.MonkeyPatch):
    """A start with a long past is not held up; the end is reached all the same, once."""
    house.use("other.example")
    for day in range(1, 29):
        house.take("shop.example", f"2026-09-{day:02}")
        house.take("stranger.example", f"2026-09-{day:02}")
    monkeypatch.setattr(adopting, "PORTION", 30)
    monkeypatch.setattr(adopting, "MAILS", 10)
    house.use("shop.example")

    turns, more = [], []
    for _ in range(5):
        turns.append(house.reclaimer.reclaim())
        more.append(house.reclaimer.has_more)

    assert 28 == sum(turns)
    assert max(turns) <= 10 + 15
    assert 0 == turns[-1]
    assert more[0]
    assert not more[-1]


def test_strangers_do_not_hide_what_is_ours(house: House, monkeypatch: pytest.MonkeyPatch):
    """A turn that finds nothing among many is not the last one."""
    house.use("other.example")
    for day in range(1, 7):
        house.take("stranger.example", f"2026-09-{day:02}")
    house.take("shop.example")
    monkeypatch.setattr(adopting, "PORTION", 1)
    monkeypatch.setattr(adopting, "SCANNED", 3)
    house.use("shop.example")

    turns = [(house.reclaimer.reclaim(), house.reclaimer.has_more) for _ in range(4)]

    assert [(0, True), (0, True), (1, False), (0, False)] == turns


def test_many_held_mails_of_an_adopted_domain_are_read_in_portions(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    """Likewise by domain: what is left after one turn is read in the next."""
    for day in range(1, 13):
        house.take("mine.example", f"2026-09-{day:02}")
    adopted = house.adopt(Dns({}, NAMES_US))
    monkeypatch.setattr(adopting, "BATCH", 3)
    monkeypatch.setattr(adopting, "MAILS", 5)

    turns = [house.reclaimer.reclaim(adopted if n == 0 else ()) for n in range(4)]

    assert 12 == sum(turns)
    assert turns[0] < 12


def test_large_mails_are_not_held_in_memory_together(house: House, monkeypatch: pytest.MonkeyPatch):
    """A portion ends with the mail that passes eight MiB, whatever its number."""
    for day in range(1, 6):
        house.take("mine.example", f"2026-09-{day:02}")
    adopted = house.adopt(Dns({}, NAMES_US))
    monkeypatch.setattr(adopting, "BATCH_BYTES", 1)
    sizes: list[int] = []

    def deliver(mails: Sequence[RawMail]) -> list[Receipt]:
        sizes.append(len(mails))
        return house.ingest.deliver(mails)

    Reclaimer(house.store.adoptions, deliver, house.ours).reclaim(adopted)

    assert [1] * 5 == sizes


def test_what_cannot_be_stored_now_is_read_later(house: House):
    """A full disk loses nothing: the same mails are tried at the next turn."""
    house.take("mine.example")
    adopted = house.adopt(Dns({}, NAMES_US))
    full, scanning = (
        Reclaimer(
            house.store.adoptions,
            lambda mails: [Receipt("failed", "full")] * len(mails),
            house.ours,
        )
        for _ in range(2)
    )

    assert (0, False) == (full.reclaim(adopted), full.has_more)
    assert (0, False) == (scanning.reclaim(), scanning.has_more)
    assert 0 == full.reclaim()
    full._deliver = scanning._deliver = house.ingest.deliver
    assert 1 == scanning.reclaim()
    assert 0 == full.reclaim()
    assert ["mine.example"] == house.counted()


def test_a_mail_whose_bytes_are_gone_is_passed_over(house: House):
    """What was put out for want of room cannot be read again, and stops nothing."""
    house.take("mine.example")
    house.take("mine.example", "2026-10-12")
    with house.store.writer.transaction() as conn:
        conn.execute("DELETE FROM kept WHERE mail_id = (SELECT min(mail_id) FROM kept)")

    assert 1 == house.reclaimer.reclaim(house.adopt(Dns({}, NAMES_US)))
    assert ["mine.example"] == house.counted()


@pytest.mark.parametrize("order", list(permutations("abc!")))
def test_when_a_domain_was_adopted_changes_nothing(house: House, order: Sequence[str]):
    """Before, between or after its reports: what counts, and how it is judged, is the same."""
    dns = Dns({}, NAMES_US)
    days = {"a": "2026-10-11", "b": "2026-10-12", "c": "2026-10-13"}
    for step in (*order, "!"):
        if step == "!":
            house.reclaimer.reclaim(house.adopt(dns))
        else:
            house.take("mine.example", days[step])

    with house.store.writer.reading() as conn:
        windows = conn.execute(
            "SELECT domain, reporter, start_at, total, received_at FROM windows ORDER BY start_at"
        ).fetchall()
        states = conn.execute("SELECT domain, state, first_seen FROM failures").fetchall()
        held = conn.execute("SELECT count(*) FROM reports WHERE status = 'held'").fetchall()
    assert 3 == len(windows)
    first = windows[0][2]
    assert [("mine.example", "google.com", first + n * DAY, 5326, NOW) for n in range(3)] == windows
    assert [("mine.example", "ongoing", first)] == states
    assert [(0,)] == held
