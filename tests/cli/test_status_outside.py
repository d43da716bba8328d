"""What `status` says of looks at domains and of test reports."""

import pytest

from tests.cli.conftest import Place
from tests.cli.looked import CONFIG
from tests.flows.watching import NOW
from tlsrpt_mailer.cli import parts_outside
from tlsrpt_mailer.cli.parts import Part
from tlsrpt_mailer.config import Config, parse
from tlsrpt_mailer.ports import SentCanary
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time
from tlsrpt_mailer.store.inventory import LookTotals
from tlsrpt_mailer.wiring import KINDS

OURS = "tlsrpt@example.com"
DOMAINS = '[[domains]]\nmatch = ["example.com"]\n'
HOURLY = f'[canary]\nschedule = "daily"\n{DOMAINS}[checks]\nrua = ["mailto:{OURS}"]\n'


def config(text: str = "") -> Config:
    return parse(text, KINDS, name="config.toml")


def totals(**more: object) -> LookTotals:
    fields = {
        "domains": 10,
        "never": 0,
        "silent": 0,
        "right": 9,
        "known": 10,
        "last_at": NOW - HOUR,
        "next_at": NOW + HOUR,
        "is_blocked": False,
    }
    return LookTotals(**(fields | more))  # type: ignore[arg-type]


def checks(text: str = "", *, runs: bool = True, **more: object) -> Part:
    return parts_outside.checks(totals(**more), config(text), NOW, runs=runs)


def sent(at: Time, came: Time | None = None, answer: str | None = "250 ok") -> SentCanary:
    return SentCanary(token=f"{at}", address=OURS, sent_at=at, answer=answer, came_at=came)


def canary(*rows: SentCanary, text: str = HOURLY) -> list[Part]:
    return parts_outside.canary(rows, config(text), NOW)


# ------------------------------------------------------------------------- looks


def test_the_last_look_is_named() -> None:
    """How many domains are looked at, and when that was last."""
    found = checks()

    assert ("ok", "10 domains, the last look today at 11:00Z (1 h ago)") == (
        found.level,
        found.what,
    )


def test_mx_hosts_are_no_domains() -> None:
    """The domains are as many as those of which so many records are right."""
    assert checks(domains=16, hosts=1).what.startswith(
        "15 domains and 1 MX host with TLSA records, the last look"
    )


def test_looks_that_are_off_or_have_nothing_to_look_at_are_no_trouble() -> None:
    """Right after the installation, and where nobody wants them."""
    assert "off (checks.schedule)" == checks('[checks]\nschedule = "off"\n').what
    assert "no domain is known to be yours yet" == checks(domains=0).what
    assert "10 domains, none looked at yet" == checks(last_at=None).what


def test_looks_that_are_long_overdue_are_a_warning_while_a_daemon_runs() -> None:
    """It should have looked hours ago; without a daemon that is said elsewhere."""
    late = NOW - parts_outside.LATE

    assert "ok" == checks(next_at=late).level
    assert "warn" == checks(next_at=late - 1).level
    assert "a look has been due since 23 Nov 08:59Z" == checks(next_at=late - 1).more[0]
    assert "ok" == checks(next_at=late - 1, runs=False).level


@pytest.mark.parametrize(("silent", "level"), [(0, "ok"), (1, "ok"), (5, "ok"), (6, "warn")])
def test_dns_that_answers_for_few_is_ours(silent: int, level: str) -> None:
    """One zone is somebody else's trouble; half of them is a resolver of ours."""
    found = checks(silent=silent)

    assert level == found.level
    assert bool(silent) == (f"DNS did not answer for {silent} of them" in found.more)
    assert (level == "warn") == (
        "is the resolver of this host, or dns.nameservers, right?" in found.more
    )


def test_a_blocked_port_is_a_standing_warning() -> None:
    """Nagios is not woken by a provider's firewall, but who looks sees it."""
    found = checks(is_blocked=True)

    assert ("warn", True) == (found.level, found.is_standing)
    assert "port 25 cannot be reached from here: tlsrpt-mailer explain probe-blocked" in found.more


def test_it_is_read_from_the_store(looked: Place) -> None:
    """Of five domains two records are right; the MX host with TLSA is looked at as well."""
    looked.configure(CONFIG.replace("off", "daily"))
    out, one = looked("status").out, looked("status", "--json").json

    assert (
        "  ok    checks        5 domains and 1 MX host with TLSA records, the last look\n"
    ) in out
    assert "  domains    2 with reports, 2 of 5 records right" in out
    assert (2, 5) == (one["records_right"], one["records_known"])


# ------------------------------------------------------------------ test reports


def test_where_no_test_reports_are_sent_there_is_no_line() -> None:
    """They are off by default."""
    assert [] == canary(text=DOMAINS)


def test_without_an_address_of_ours_none_can_be_sent() -> None:
    """And what to say in the configuration."""
    (found,) = canary(text='[canary]\nschedule = "daily"\n')

    assert ("warn", True) == (found.level, found.is_standing)
    assert "say checks.rua" in found.what


def test_the_last_one_that_came_back_is_named() -> None:
    """How long it took, and when."""
    (none,) = canary()
    (back,) = canary(sent(NOW - HOUR, NOW - HOUR + 41))

    assert ("ok", f"{OURS}: none sent yet") == (none.level, none.what)
    assert ("ok", f"{OURS}: the last came back in 41 s, today at 11:00Z (59 min ago)") == (
        back.level,
        back.what,
    )


@pytest.mark.parametrize(("age", "level"), [(2 * HOUR - 1, "ok"), (2 * HOUR, "FAIL")])
def test_one_that_is_overdue_is_a_failure(age: int, level: str) -> None:
    """With what its MX said, and when the last one came back."""
    rows = (sent(NOW - age), sent(NOW - 3 * DAY, NOW - 3 * DAY + MINUTE))

    (found,) = canary(*rows)

    assert level == found.level
    if level == "FAIL":
        assert f"{OURS}: not back, sent today at 10:00Z (2 h ago)" == found.what
        assert "250 ok" == found.more[0]
        assert "the last came back in 60 s" in found.more[1]


def test_what_was_missing_before_one_came_back_is_forgotten() -> None:
    """It works again."""
    rows = (sent(NOW - HOUR, NOW - HOUR + 1), sent(NOW - DAY, answer=None))

    (found,) = canary(*rows)
    (first,) = canary(sent(NOW - DAY, answer=None))

    assert "ok" == found.level
    assert ("no answer of its MX yet", "none has come back yet") == first.more
