"""What the store keeps of looks, and when it goes."""

from pathlib import Path
from time import perf_counter

import pytest

from tests import mails
from tests.flows.sky import RIGHT
from tests.flows.watching import NOW, Watch, shows
from tlsrpt_mailer.domains.drift import CHARS
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store.checks import MOST_KNOWN, probed_at
from tlsrpt_mailer.store.queries import open_queries
from tlsrpt_mailer.store.retention import INCIDENT_KEEP, Keep, prune

TABLES = ("looks", "seen", "known", "spells", "failures", "told", "acts", "shown")


@pytest.fixture
def gone(tmp_path: Path) -> Watch:
    """A record that was there, went, was acknowledged, and came back; another MX since."""
    watch = Watch(tmp_path, probe=True)
    watch.sky.domain("shop.example")
    shows(watch, NOW, NOW + 900 * DAY)
    watch.enrol("shop.example")
    watch.until(NOW + DAY)
    watch.sky.put("_smtp._tls.shop.example", "TXT")
    watch.until(NOW + 2 * DAY)
    watch.said("ack")
    watch.sky.domain("shop.example")
    watch.until(NOW + 3 * DAY)
    return watch


def counts(watch: Watch) -> dict[str, int]:
    return {name: watch.world.count(name) for name in TABLES}


def prune_at(watch: Watch, now: int) -> dict[str, int]:
    prune(watch.world.store.writer, now, Keep())
    return counts(watch)


def test_what_is_over_stays_as_long_as_failures_do(gone: Watch) -> None:
    """`failures show` knows of it for 400 days."""
    before = counts(gone)

    assert before == prune_at(gone, NOW + 300 * DAY)
    after = prune_at(gone, NOW + 3 * DAY + INCIDENT_KEEP + HOUR)

    ended = {"spells": before["spells"] - 1, "failures": before["failures"] - 1, "acts": 0}
    assert ended == {name: after[name] for name in ended}
    assert [] == gone.world.rows("SELECT code FROM spells WHERE code = 'tlsrpt-gone'")


def test_what_is_open_stays_whenever_it_was_found_last(tmp_path: Path) -> None:
    """A person is still to be told how it ends."""
    watch = Watch(tmp_path)
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    watch.until(NOW + DAY)
    watch.sky.put("_smtp._tls.shop.example", "TXT")
    watch.until(NOW + 2 * DAY)

    left = prune_at(watch, NOW + 4 * INCIDENT_KEEP)

    assert (1, 1) == (left["failures"], left["spells"])


def test_what_ended_late_is_kept_from_its_end_on(tmp_path: Path) -> None:
    """Found last long ago, since nobody looked, but over since yesterday: that is news."""
    watch = Watch(tmp_path)
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    watch.until(NOW + DAY)
    watch.sky.put("_smtp._tls.shop.example", "TXT")
    watch.until(NOW + 2 * DAY)
    watch.sky.domain("shop.example")
    watch.soon()
    watch.at(NOW + 300 * DAY)

    assert 1 == prune_at(watch, NOW + 3 * DAY + INCIDENT_KEEP)["failures"]
    assert 0 == prune_at(watch, NOW + 301 * DAY + INCIDENT_KEEP)["failures"]


def test_what_stands_there_now_is_remembered_and_old_values_go(gone: Watch) -> None:
    """While a domain is looked at, what is published now has a beginning."""
    for day in (200, 399):
        gone.soon()
        gone.at(NOW + day * DAY)

    prune_at(gone, NOW + 3 * DAY + INCIDENT_KEEP)

    texts = gone.world.rows("SELECT value, first_at FROM known WHERE kind = 'tlsrpt'")
    assert 1 == len(texts)
    assert "v=TLSRPTv1" in str(texts[0][0])


def test_a_zone_with_ever_new_values_does_not_fill_the_disk(tmp_path: Path) -> None:
    """The newest are kept, and each is cut: what stands there now among them."""
    watch = Watch(tmp_path)
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    for at in range(MOST_KNOWN + 20):
        watch.sky.put("shop.example", "NS", f"ns{at}.example", "x" * 2 * CHARS)
        watch.soon()
        watch.at(NOW + at * HOUR)

    ((count, longest),) = watch.world.rows("SELECT count(*), max(length(value)) FROM known")
    assert (MOST_KNOWN, CHARS) == (count, longest)
    ((newest,),) = watch.world.rows("SELECT value FROM known ORDER BY first_at DESC LIMIT 1")
    assert str(newest).startswith(f"ns{at}.example")
    assert 4 == watch.world.rows("SELECT count(DISTINCT kind) FROM known WHERE kind != 'ns'")[0][0]


def test_a_domain_that_is_ours_no_more_is_forgotten_at_last(gone: Watch) -> None:
    """Nothing of it is left but what people are still to be told."""
    gone.world.store.checks.enrol([], gone.world.now)

    after = prune_at(gone, NOW + 3 * DAY + INCIDENT_KEEP + DAY)

    assert (0, 0, 0, 0) == tuple(after[name] for name in ("looks", "seen", "known", "shown"))


def test_texts_that_sqlite_cannot_hold_are_kept_all_the_same(tmp_path: Path) -> None:
    """Half a surrogate pair, as no server sends one but a bug might."""
    watch = Watch(tmp_path)

    assert 1 == watch.enrol("b\ud800.example")
    assert [("b?.example",)] == watch.world.rows("SELECT domain FROM looks")


def test_who_has_waited_longest_is_looked_at_first(tmp_path: Path) -> None:
    """However many are due, none of them waits for those that came after it."""
    watch = Watch(tmp_path)
    watch.enrol("b.example")
    watch.world.now += HOUR
    watch.enrol("a.example", "b.example", "c.example")

    due = watch.world.store.checks.due(watch.world.now, 2)

    assert ["b.example", "a.example"] == [one.domain for one in due]


def test_a_look_is_made_sooner_or_later_and_never_the_other_way(tmp_path: Path) -> None:
    """A word of a person, or trouble of ours, moves a look in one direction alone."""
    watch = Watch(tmp_path)
    checks = watch.world.store.checks
    watch.enrol("a.example")

    def at() -> object:
        return watch.world.rows("SELECT next_at FROM looks")[0][0]

    checks.soon(["a.example"], NOW + DAY)
    assert NOW == at()
    checks.postpone(["a.example", "other.example"], NOW + DAY)
    assert NOW + DAY == at()
    checks.postpone(["a.example"], NOW + HOUR)
    assert NOW + DAY == at()
    checks.soon(["a.example"], NOW + HOUR)
    assert NOW + HOUR == at()
    watch.enrol()
    checks.soon(["a.example"], NOW)
    checks.postpone(["a.example"], NOW + DAY)
    assert at() is None


def test_since_when_a_record_is_as_it_is(tmp_path: Path) -> None:
    """Not since the last look; and what DNS did not tell is no change."""
    watch = Watch(tmp_path)
    watch.sky.domain("a.example")
    watch.enrol("a.example")

    def stands() -> tuple[object, ...]:
        return watch.world.rows("SELECT record, record_at FROM looks")[0]

    watch.at(NOW)
    for day in (1, 2):
        watch.soon()
        watch.at(NOW + day * DAY)
    assert ("right", NOW) == stands()
    watch.sky.dark.add("_smtp._tls.a.example")
    watch.soon()
    watch.at(NOW + 3 * DAY)
    assert ("right", NOW) == stands()
    watch.sky.dark.clear()
    watch.sky.put("_smtp._tls.a.example", "TXT")
    watch.soon()
    watch.at(NOW + 4 * DAY)
    assert ("none", NOW + 4 * DAY) == stands()


def test_a_look_at_what_is_ours_no_more_does_not_make_it_ours(tmp_path: Path) -> None:
    """It was under way when the configuration changed."""
    watch = Watch(tmp_path)
    watch.sky.domain("a.example")
    watch.enrol("a.example")
    looks = watch.checker.looker.look(watch.world.store.checks.due(NOW, 1), NOW)
    watch.enrol()

    watch.checker.save(looks, NOW)

    assert [(NOW, None)] == watch.world.rows("SELECT at, next_at FROM looks")
    assert [] == watch.world.store.checks.all()


def test_of_an_mx_host_only_the_addresses_of_the_last_look_are_kept(tmp_path: Path) -> None:
    """One that was taken out of DNS says nothing any more."""
    watch = Watch(tmp_path, probe=True)
    watch.sky.domain("shop.example")
    watch.sky.put("mx1.shop.example", "A", "192.0.2.1", "192.0.2.2")
    for ip in ("192.0.2.1", "192.0.2.2"):
        shows(watch, NOW, ip=ip)
    watch.enrol("shop.example")
    watch.at(NOW)
    assert [("192.0.2.1",), ("192.0.2.2",)] == watch.world.rows("SELECT ip FROM shown ORDER BY 1")

    watch.sky.put("mx1.shop.example", "A", "192.0.2.2")
    watch.soon()
    watch.at(NOW + DAY)

    assert [("192.0.2.2",)] == watch.world.rows("SELECT ip FROM shown")


def test_a_host_is_as_fresh_as_the_address_that_was_seen_longest_ago(tmp_path: Path) -> None:
    """A failure is calmed by a look after it at all addresses, not at one of them."""
    watch = Watch(tmp_path, probe=True)
    watch.sky.domain("shop.example")
    watch.sky.put("mx1.shop.example", "A", "192.0.2.1", "192.0.2.2")
    shows(watch, NOW, ip="192.0.2.1")
    shows(watch, NOW - HOUR, ip="192.0.2.2")
    watch.enrol("shop.example")
    watch.at(NOW)

    with watch.world.store.writer.reading() as conn:
        assert {"mx1.shop.example": NOW - HOUR} == probed_at(conn)


def test_how_far_the_looks_are(tmp_path: Path) -> None:
    """A domain that DNS answered for yesterday and not today is silent; MX hosts have no record
    of a domain."""
    watch = Watch(tmp_path)
    for name in ("a.example", "b.example"):
        watch.sky.domain(name)
    watch.sky.put("_25._tcp.mx1.a.example", "TLSA", "3 1 1 " + "ab" * 32)
    watch.sky.put("_smtp._tls.mx1.a.example", "TXT", RIGHT)
    watch.enrol("a.example", "b.example", "c.example")
    watch.until(NOW)
    watch.sky.dark.add("_smtp._tls.b.example")
    watch.soon()
    watch.at(NOW + DAY)

    with open_queries(watch.world.path) as reader:
        found = reader.look_totals()

    assert (4, 0, 1) == (found.domains, found.never, found.silent)
    assert (2, 3) == (found.right, found.known)


def test_what_failed_under_one_policy_is_not_counted_under_another(tmp_path: Path) -> None:
    """A session stands under one policy type; readiness adds up two of them."""
    watch = Watch(tmp_path)
    kinds = ("sts", "no-policy-found")
    details = (mails.detail(failed=3),), (mails.detail("starttls-not-supported", failed=5),)
    watch.world.take(
        mails.mail(
            mails.report(
                "shop.example",
                "2026-11-22",
                policies=[
                    mails.policy("shop.example", policy_type=kind, details=rows)
                    for kind, rows in zip(kinds, details, strict=True)
                ],
            )
        )
    )

    with open_queries(watch.world.path) as reader:
        counted = reader.counted("shop.example", NOW - 30 * DAY)

    assert {
        ("sts", 3): ["certificate-expired"],
        ("no-policy-found", 5): ["starttls-not-supported"],
    } == {(one.policy_type, one.failed): [row.result_type for row in one.rows] for one in counted}


def test_ten_thousand_domains_are_enrolled_again_in_no_time(tmp_path: Path) -> None:
    """It is done every hour and by each `check`, and nobody else writes meanwhile."""
    watch = Watch(tmp_path)
    names = [f"d{at:05}.shop.example" for at in range(10_000)]

    began = perf_counter()
    assert 10_000 == watch.enrol(*names)
    entered = perf_counter()
    assert 0 == watch.enrol(*names)

    assert perf_counter() - entered < 3 * (entered - began)
