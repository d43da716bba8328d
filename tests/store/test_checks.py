"""What the store keeps of looks, and when it goes."""

from pathlib import Path
from time import perf_counter

import pytest

from tests import mails
from tests.flows.sky import RIGHT
from tests.flows.watching import NOW, Watch, shows
from tlsrpt_mailer.domains.drift import CHARS
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store.checks import MOST_KNOWN
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


def test_ten_thousand_domains_are_enrolled_again_in_no_time(tmp_path: Path) -> None:
    """It is done every hour and by each `check`, and nobody else writes meanwhile."""
    watch = Watch(tmp_path)
    names = [f"d{at:05}.shop.example" for at in range(10_000)]

    began = perf_counter()
    assert 10_000 == watch.enrol(*names)
    entered = perf_counter()
    assert 0 == watch.enrol(*names)

    assert perf_counter() - entered < 3 * (entered - began)
