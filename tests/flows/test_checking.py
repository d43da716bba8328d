"""Looks at domains, from what is due to the mail about what they found."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.flows.office import text_of
from tests.flows.sky import RIGHT
from tests.flows.test_compose import ANA, tell
from tests.flows.watching import HOST, NOW, Watch, shows
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.seen import Seen, Shown
from tlsrpt_mailer.errors import Unreachable
from tlsrpt_mailer.failures.probed import BLOCKED
from tlsrpt_mailer.flows import checking
from tlsrpt_mailer.ports import Due
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE

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
    assert gone + 15 * MINUTE == watch.next()
    watch.at(gone + 15 * MINUTE)
    assert [("tlsrpt-gone", None, "new", "warning")] == watch.states()
    assert gone + 15 * MINUTE + HOUR == watch.next()
    (record,) = watch.failures()
    assert "finding" == record.verdict.identity.kind
    assert RIGHT in record.verdict.facts["line"]
    assert (NOW, gone) < (record.verdict.clean_before, record.verdict.first_seen + 1)

    watch.sky.put("_smtp._tls.shop.example", "TXT", RIGHT)
    watch.at(gone + 15 * MINUTE + HOUR)
    (over,) = watch.world.rows("SELECT state, resolved_at FROM failures")
    assert ("resolved", gone + 15 * MINUTE + HOUR) == over


def test_a_dead_resolver_of_ours_is_no_trouble_of_domains(watch: Watch) -> None:
    """
    Nobody's owner hears of it, and what was open neither ends nor begins again; the job says what
    is wrong, and once DNS answers every domain has its turn.
    """
    for name in ("shop.example", "blog.example"):
        watch.sky.domain(name)
    watch.sky.put("_smtp._tls.blog.example", "TXT", "v=TLSRPTv1")
    watch.enrol("shop.example", "blog.example")
    watch.at(NOW)
    before = watch.states(), watch.world.rows("SELECT * FROM looks")
    watch.sky.silent = "connection refused"

    watch.soon()
    with pytest.raises(Unreachable, match=r"connection refused.*nameservers, right"):
        watch.at(NOW + DAY)
    after = watch.states(), watch.world.rows("SELECT * FROM looks WHERE next_at > 0")
    watch.sky.silent = None

    assert before[0] == after[0]
    assert [] == after[1]
    assert 2 == watch.at(NOW + DAY + MINUTE)


def test_domains_of_one_dead_provider_are_in_trouble_though_nothing_else_was_asked(
    watch: Watch,
) -> None:
    """Where others answer it is the domains' own matter: their owners can know."""
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    watch.at(NOW)
    watch.sky.dark |= {"_smtp._tls.shop.example", "_mta-sts.shop.example", "shop.example"}

    watch.soon()
    watch.at(NOW + DAY)

    assert {"mx-trouble", "mta-sts-trouble", "tlsrpt-trouble"} <= {one[0] for one in watch.states()}


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

    assert [] == [code for code, *_ in watch.states() if not code.endswith("-trouble")]
    (row,) = watch.world.rows("SELECT record, at, ok_at FROM looks WHERE domain = 'shop.example'")
    assert ("right", at) == row[:2]
    assert row[2] != at
    for _ in range(3):
        assert watch.world.now < (watch.next() or 0) <= watch.world.now + HOUR
        watch.at(watch.next() or 0)


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


def test_mx_hosts_of_providers_are_nobodys_to_mend(watch: Watch) -> None:
    """Their TLSA records make no gap of ours: nobody here could publish a record there."""
    host = "shop-example.b-v1.mx.microsoft"
    watch.sky.domain("shop.example", mx=(host,))
    watch.sky.put(f"_25._tcp.{host}", "TLSA", "3 1 1 " + "ab" * 32)
    watch.enrol("shop.example")

    watch.until(NOW + DAY)

    assert [("shop.example",)] == watch.world.rows("SELECT domain FROM looks")
    assert [] == watch.states()
    # Unless the configuration says that we run it, whatever its name looks like.
    watch.our_mx.add(host)
    watch.until(NOW + 2 * DAY)
    assert [(host,), ("shop.example",)] == watch.world.rows("SELECT domain FROM looks ORDER BY 1")


def test_a_parked_domain_is_no_gap(watch: Watch) -> None:
    """It takes no mail (null MX), so nobody has anything to report."""
    watch.sky.put("parked.example", "MX", "0 .")
    watch.enrol("parked.example")

    watch.until(NOW + HOUR)

    assert [("unneeded", "[]")] == watch.world.rows("SELECT record, mx FROM looks")


def test_the_record_of_an_mx_host_is_told_once_and_not_for_each_domain(watch: Watch) -> None:
    """Ten thousand domains may share the host whose record is gone."""
    host = "mx1.mail.example"
    watch.sky.put(f"_25._tcp.{host}", "TLSA", "3 1 1 " + "ab" * 32)
    watch.sky.put(f"_smtp._tls.{host}", "TXT", RIGHT)
    for name in ("a.example", "b.example"):
        watch.sky.domain(name, mx=(host,))
    watch.enrol("a.example", "b.example")
    watch.until(NOW + DAY)
    assert [] == watch.states()

    watch.sky.put(f"_smtp._tls.{host}", "TXT")
    watch.until(NOW + 2 * DAY)

    (record,) = watch.failures()
    assert (host, "tlsrpt-gone", None) == (
        record.verdict.identity.domain,
        record.verdict.identity.result_type,
        record.verdict.identity.mx,
    )


# ------------------------------------------------------------------------- probe


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


def test_who_asks_for_the_probe_by_name_gets_it_whosever_the_domain_is(tmp_path: Path) -> None:
    """`check --probe DOMAIN` needs no [[domains]]; but it leads to no network of ours."""
    watch = Watch(tmp_path, probe=True, named=False, everybody=True)
    watch.public.domain("stranger.example", mode="enforce")
    watch.public.shows["mx1.stranger.example", "192.0.2.1"] = Shown(
        ip="192.0.2.1", at=NOW, kind="no-starttls"
    )

    (look,) = watch.checker.looker.look([Due("stranger.example", False)], NOW)
    watch.world.store.close()

    assert "mx-no-starttls" in [one.code for one in look.findings]
    assert [] == watch.sky.asked


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
    assert 0 == watch.at(NOW)
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


def test_a_stop_is_heard_between_portions(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_one_zone_that_trips_us_up_stops_no_other_look(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours, or text that the database refuses: said in the log, and again tomorrow."""
    names = ("a.example", "b.example", "c.example", "d.example")
    for name in names:
        watch.sky.domain(name)
    real = checking.examine

    def examine(seen: Seen, *rest: Any) -> Any:
        if seen.domain == "b.example":
            raise ZeroDivisionError("an error of ours")
        found = real(seen, *rest)
        extra = [Finding(code="xxx", weight="warning")] if seen.domain == "c.example" else []
        return [*found, *extra]

    monkeypatch.setattr(checking, "examine", examine)
    watch.enrol(*names)
    with watch.world.store.writer.transaction() as conn:
        conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON spells WHEN NEW.code = 'xxx'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )

    assert 4 == watch.at(NOW)

    rows = watch.world.rows("SELECT domain, at, next_at FROM looks ORDER BY domain")
    assert [("a.example", NOW), ("b.example", None), ("c.example", None), ("d.example", NOW)] == [
        row[:2] for row in rows
    ]
    assert [NOW + DAY, NOW + DAY] == [row[2] for row in rows[1:3]]


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


def mail_of(watch: Watch) -> EmailMessage:
    """The one mail that is due now."""
    (letter,) = tell(watch.world)
    assert ANA == letter.recipient
    found = message_from_bytes(letter.raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_the_owner_is_mailed_when_it_is_gone_and_when_it_is_back(watch: Watch) -> None:
    """One mail each, with the record to publish in it; in between somebody can acknowledge it."""
    watch.sky.domain("shop.example")
    watch.enrol("shop.example")
    watch.until(NOW + DAY)
    assert [] == tell(watch.world)
    watch.sky.put("_smtp._tls.shop.example", "TXT")
    watch.until(NOW + 2 * DAY)

    told = mail_of(watch)
    assert "WARNING shop.example: TLSRPT record gone [tlsrpt 1]" == told["Subject"]
    assert RIGHT in text_of(told)
    watch.said("ack")
    assert [] == tell(watch.world)
    watch.sky.put("_smtp._tls.shop.example", "TXT", RIGHT)
    watch.until(NOW + 3 * DAY)
    over = mail_of(watch)
    assert "RESOLVED shop.example: TLSRPT record gone [tlsrpt 1]" == over["Subject"]
    assert "It is over for shop.example" in text_of(over)
