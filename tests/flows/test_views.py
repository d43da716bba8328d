"""What a mail about a failure adds from our own looks at its domain."""

from email.message import EmailMessage

import msgspec
import pytest

from tests.flows.office import text_of as raw_text_of
from tests.flows.sky import STS
from tests.flows.test_checking import mail_of
from tests.flows.watching import NOW, Watch, shows
from tests.mails import detail, mail, report
from tlsrpt_mailer.domains.seen import Shown
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE
from tlsrpt_mailer.store.bind import pack, unpack

DOMAIN = "shop.example"
HOST = "mx1.shop.example"
ADDRESS = "192.0.2.1"
YESTERDAY = "2026-11-22"
WELL = NOW + 90 * DAY


def fail(watch: Watch, day: str = YESTERDAY, **more: object) -> None:
    """Google reports on one day, as they come: the morning after."""
    row = detail("certificate-expired", HOST)
    fields = {"mode": "enforce", "mx": (HOST,), "details": (row,)} | more
    watch.world.take(mail(report(DOMAIN, day, **fields)))  # type: ignore[arg-type]


def text_of(told: EmailMessage) -> str:
    return raw_text_of(told).replace("\r\n", "\n")


def part(text: str, title: str) -> str:
    """One section, on one line."""
    return " ".join(text.partition(f"\n{title}")[2].partition("\n\n")[0].split())


def test_what_is_seen_from_here_stands_address_by_address(probing: Watch) -> None:
    """Whether it is the same trouble that the sender saw, at each address; the bad ones first."""
    probing.sky.domain(DOMAIN, mode="enforce")
    probing.sky.put(HOST, "A", *(f"192.0.2.{at}" for at in range(1, 8)))
    shows(probing, NOW, WELL)
    shows(probing, NOW, NOW - DAY, ip="192.0.2.2", names_fit=False)
    probing.sky.shows[HOST, "192.0.2.3"] = Shown(ip="192.0.2.3", at=NOW, kind="no-starttls")
    shows(probing, NOW, WELL, ip="192.0.2.4", names_fit=False)
    probing.enrol(DOMAIN)
    probing.at(NOW)
    fail(probing)

    mail = mail_of(probing)
    seen = part(text_of(mail), "SEEN FROM HERE")

    assert (
        "(mail.example.com, today at 12:00Z, just now) host address"
        f" {HOST} 192.0.2.2 expired 22 Nov 12:00Z the same trouble"
        f" {HOST} 192.0.2.3 offers no STARTTLS not as reported"
        f" {HOST} 192.0.2.4 made out to another name not as reported"
        f" {HOST} {ADDRESS} valid until 21 Feb 2027 fine"
    ) == seen.partition(" Senders report:")[0]
    assert f"  Senders report: certificate expired on {HOST}.\n" in text_of(mail)


def test_the_same_trouble_at_another_host_is_the_same(probing: Watch) -> None:
    """The certificate is one for both hosts, and senders have named one of them so far."""
    probing.sky.domain(DOMAIN, mx=("mx1", "mx2"), mode="enforce")
    shows(probing, NOW, WELL)
    shows(probing, NOW, NOW - DAY, "mx2.shop.example", "192.0.2.2")
    probing.enrol(DOMAIN)
    probing.at(NOW)
    fail(probing)

    assert "mx2.shop.example 192.0.2.2 expired 22 Nov 12:00Z the same trouble" in part(
        text_of(mail_of(probing)), "SEEN FROM HERE"
    )


@pytest.mark.parametrize(
    ("result", "fields", "words"),
    [
        (
            "certificate-host-mismatch",
            {"not_after": NOW - DAY, "names_fit": False},
            "made out to another name the same trouble",
        ),
        (
            "certificate-not-trusted",
            {"not_after": WELL, "is_trusted": False},
            "not trusted the same trouble",
        ),
        (
            "certificate-not-trusted",
            {"not_after": NOW - DAY},
            "expired 22 Nov 12:00Z not as reported",
        ),
        ("tlsa-invalid", {"not_after": WELL, "chain": ()}, "- fine"),
    ],
)
def test_the_trouble_that_the_sender_saw_is_looked_for_first(
    probing: Watch, result: str, fields: dict[str, object], words: str
) -> None:
    """Where an address has several, the one that the mail is about is named."""
    probing.sky.domain(DOMAIN, mode="enforce")
    shows(probing, NOW, **fields)  # type: ignore[arg-type]
    probing.enrol(DOMAIN)
    probing.at(NOW)
    fail(probing, details=(detail(result, HOST),))

    assert f"{ADDRESS} {words}" in part(text_of(mail_of(probing)), "SEEN FROM HERE")


def test_what_is_mended_by_now_wakes_nobody(probing: Watch) -> None:
    """The sender speaks of yesterday; the host is well since: a warning that says so first."""
    probing.sky.domain(DOMAIN, mode="enforce")
    shows(probing, NOW, WELL)
    probing.enrol(DOMAIN)
    probing.at(NOW)
    fail(probing)

    told = mail_of(probing)

    assert (
        "WARNING shop.example: certificate expired on mx1.shop.example [tlsrpt 1]"
        == (told["Subject"])
    )
    assert text_of(told).startswith(
        f"Senders refused {HOST} on 22 Nov; from here it looks mended now.\n"
    )


def test_a_failing_domain_is_looked_at_before_its_alert_goes_out(probing: Watch) -> None:
    """
    The alert waits for company; meanwhile the host is looked at, so that the mail says how it is
    now. One more report minutes later is no reason for one more look.
    """
    probing.sky.domain(DOMAIN, mode="enforce")
    shows(probing, NOW, WELL)
    probing.enrol(DOMAIN)
    probing.at(NOW)
    probing.world.now = now = NOW + 3 * HOUR
    shows(probing, now, NOW - DAY)
    fail(probing)

    assert now == probing.next()
    probing.at(now)
    assert "expired 22 Nov 12:00Z the same trouble" in part(
        text_of(mail_of(probing)), "SEEN FROM HERE"
    )
    looked = probing.next()
    probing.world.now = now + MINUTE
    fail(probing, "2026-11-21")
    assert looked == probing.next()


def test_a_look_that_finds_it_well_calms_what_was_told(probing: Watch) -> None:
    """Judged anew by the look itself: nobody waits for the next report to be told so."""
    probing.sky.domain(DOMAIN, mode="enforce")
    probing.enrol(DOMAIN)
    fail(probing)
    assert ["critical"] == [severity for *_, severity in probing.states()]

    shows(probing, NOW, WELL)
    probing.at(NOW)

    assert ["warning"] == [severity for *_, severity in probing.states()]


def test_where_nobody_has_looked_the_mail_says_so(watch: Watch) -> None:
    """No empty table where nothing has looked yet."""
    watch.sky.domain(DOMAIN, mode="enforce")
    fail(watch)
    assert "Not looked at from here: [checks] schedule is off, or the domain is new." == part(
        text_of(mail_of(watch)), "SEEN FROM HERE"
    )


def test_where_mx_hosts_are_not_connected_to_the_mail_says_so(watch: Watch) -> None:
    """The rest of the look is there: what changed, and which policy is served."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.at(NOW)
    fail(watch)

    assert (
        "The look of 23 Nov 12:00Z connected to no MX host: [checks] probe was off, or the"
        " configuration does not name the domain."
    ) == part(text_of(mail_of(watch)), "SEEN FROM HERE")


# ------------------------------------------------------------------- DNS is dark


def darken(watch: Watch) -> None:
    """No name server of the zone answers any more."""
    watch.sky.dark |= {DOMAIN, HOST, f"_mta-sts.{DOMAIN}", f"_smtp._tls.{DOMAIN}"}


MISMATCH = (detail("validation-failure", "mx.new.example"),)
OLD = {"mx": (HOST, "mx0.shop.example"), "details": MISMATCH}
"""A report that quotes a policy of before."""


def test_what_dns_did_not_answer_is_not_known(probing: Watch) -> None:
    """
    The name servers stop, then a report comes: what the last look that got an answer saw is told
    as that. Nobody is told that the probe is off, or that there is no policy.
    """
    probing.sky.domain(DOMAIN, mode="enforce")
    shows(probing, NOW, NOW - DAY)
    probing.enrol(DOMAIN)
    probing.at(NOW)
    darken(probing)
    fail(probing, **OLD)
    probing.soon()
    probing.at(NOW + HOUR)

    text = text_of(mail_of(probing))

    seen = part(text, "SEEN FROM HERE")
    assert f"{HOST} {ADDRESS} expired 22 Nov 12:00Z" in seen
    assert (
        "At the look of 23 Nov 13:00Z DNS did not answer, so no MX host was connected to. This is"
        " what was seen before that."
    ) in seen
    held = part(text, "THE POLICY THAT THE SENDER HOLDS")
    unknown = "not known: DNS did not answer at the look of 23 Nov 13:00Z; at that of 23 Nov 12:00Z"
    assert f"MX today {unknown}: {HOST} policy quoted" in held
    assert f"policy now {unknown}: enforce, mx: {HOST} id 20261001" in held
    assert "So Google may still hold the old policy, until 30 Nov at the latest." in held
    assert "Until then keep mx0.shop.example answering." in held


def test_where_dns_never_answered_nothing_is_claimed(probing: Watch) -> None:
    """Neither MX nor policy were ever seen: no advice is built on them."""
    probing.sky.domain(DOMAIN, mode="enforce")
    darken(probing)
    probing.enrol(DOMAIN)
    probing.at(NOW)
    fail(probing, **OLD)

    text = text_of(mail_of(probing))

    unknown = "not known: DNS did not answer at the look of 23 Nov 12:00Z"
    assert (
        f"MX today {unknown} policy quoted enforce, mx: {HOST} and mx0.shop.example"
        f" (max_age 604800) policy now {unknown}"
    ) == part(text, "THE POLICY THAT THE SENDER HOLDS")
    assert "answering" not in text
    assert "At the look of 23 Nov 12:00Z DNS did not answer" in part(text, "SEEN FROM HERE")


def test_a_policy_that_was_gone_before_dns_went_dark_stays_gone(watch: Watch) -> None:
    """The last answer was that no record announces a policy; the one of before is not revived."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.at(NOW)
    watch.sky.put(f"_mta-sts.{DOMAIN}", "TXT")
    watch.soon()
    watch.at(NOW + HOUR)
    darken(watch)
    watch.soon()
    watch.at(NOW + 2 * HOUR)
    watch.said("mute")
    fail(watch, **OLD)

    held = part(text_of(mail_of(watch)), "THE POLICY THAT THE SENDER HOLDS")

    assert "DNS did not answer at the look of 23 Nov 14:00Z; at that of 23 Nov 13:00Z: none" in held
    assert "As long as senders hold the quoted policy, keep mx0.shop.example answering." in held


def test_mended_is_said_of_the_look_that_saw_it(probing: Watch) -> None:
    """A later look that saw nothing is no witness that it is well now."""
    probing.sky.domain(DOMAIN, mode="enforce")
    shows(probing, NOW, WELL)
    probing.enrol(DOMAIN)
    probing.at(NOW)
    darken(probing)
    fail(probing)
    probing.soon()
    probing.at(NOW + HOUR)

    assert text_of(mail_of(probing)).startswith(
        f"Senders refused {HOST} on 22 Nov; from here it looked mended at 23"
        "\nNov 12:00Z, and has not been seen since.\n"
    )


def test_the_host_that_the_senders_name_is_not_passed_over(probing: Watch) -> None:
    """Another host was connected to and is fine; of the one in question nothing is known."""
    probing.sky.domain(DOMAIN, mx=("mx1", "mx2"), mode="enforce")
    shows(probing, NOW, WELL, "mx2.shop.example", "192.0.2.2")
    probing.sky.dark.add(HOST)
    probing.enrol(DOMAIN)
    probing.at(NOW)
    fail(probing)

    assert f"{HOST} itself was not connected to by that look." in part(
        text_of(mail_of(probing)), "SEEN FROM HERE"
    )


def test_a_host_that_is_no_mx_any_more_is_told_as_that(probing: Watch) -> None:
    """The senders speak of one that DNS does not name today, so nobody connects to it."""
    probing.sky.domain(DOMAIN, mode="enforce")
    shows(probing, NOW, WELL)
    probing.enrol(DOMAIN)
    probing.at(NOW)
    fail(probing, details=(detail("certificate-expired", "mx9.shop.example"),))

    assert f"mx9.shop.example is no MX of {DOMAIN} today." in part(
        text_of(mail_of(probing)), "SEEN FROM HERE"
    )


def test_a_probe_that_could_reach_nobody_says_so(probing: Watch) -> None:
    """Port 25 is closed from here: that is no probe that is off."""
    probing.sky.domain(DOMAIN, mode="enforce")
    probing.sky.blocked = "no answer"
    probing.enrol(DOMAIN)
    probing.at(NOW)
    fail(probing)

    seen = part(text_of(mail_of(probing)), "SEEN FROM HERE")

    assert "port 25 cannot be reached from here" in seen
    assert "off" not in seen


def test_hosts_without_an_address_are_told_as_that(probing: Watch) -> None:
    """There was nowhere to connect to."""
    probing.sky.domain(DOMAIN, mode="enforce")
    probing.sky.put(HOST, "A")
    probing.enrol(DOMAIN)
    probing.at(NOW)
    probing.said("mute")
    fail(probing)

    assert "The look of 23 Nov 12:00Z found no address of an MX host to connect to." == part(
        text_of(mail_of(probing)), "SEEN FROM HERE"
    )


def test_a_look_of_an_older_version_did_not_note_why(watch: Watch) -> None:
    """After an update the last look may be one that did not say whether it was to connect."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.at(NOW)
    with watch.world.store.writer.transaction() as conn:
        (kept,) = conn.execute("SELECT seen FROM seen").fetchone()
        old = msgspec.json.decode(unpack(kept))
        del old["is_probing"]
        conn.execute("UPDATE seen SET seen = ?", (pack(msgspec.json.encode(old)),))
    fail(watch)

    assert "The look of 23 Nov 12:00Z connected to no MX host." == part(
        text_of(mail_of(watch)), "SEEN FROM HERE"
    )


# ------------------------------------------------------------------------- drift


def test_what_changed_shortly_before_is_named(watch: Watch) -> None:
    """The move of a zone: other name servers, another MX, the day before failures began."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.until(NOW + 2 * DAY)
    watch.sky.put(DOMAIN, "NS", "ns1.hoster.example")
    watch.sky.put(DOMAIN, "MX", "10 mx.new.example")
    watch.sky.put("mx.new.example", "A", "192.0.2.9")
    watch.until(NOW + 4 * DAY)
    watch.said("mute")
    fail(watch, "2026-11-25", details=(detail("validation-failure", "mx.new.example"),))

    changed = part(text_of(mail_of(watch)), "CHANGED SHORTLY BEFORE")

    assert "25-26 Nov name servers: ns1.example.net -> ns1.hoster.example" in changed
    assert "MX: 10 mx1.shop.example -> 10 mx.new.example" in changed
    assert "The zone has moved to other name servers." in changed


@pytest.mark.parametrize(("day", "is_named"), [("2026-12-02", True), ("2026-12-03", False)])
def test_what_changed_more_than_a_week_before_is_no_cause(
    watch: Watch, day: str, is_named: bool
) -> None:
    """Name servers that moved on 25 November are named a week long."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.until(NOW + DAY)
    watch.sky.put(DOMAIN, "NS", "ns1.hoster.example")
    watch.until(NOW + 11 * DAY)
    fail(watch, day)

    changed = part(text_of(mail_of(watch)), "CHANGED SHORTLY BEFORE")

    assert is_named == ("ns1.example.net -> ns1.hoster.example" in changed)
    assert is_named != ("Nothing in MX, name servers, MTA-STS or TLSA since 25 Nov." == changed)


def test_where_nothing_changed_it_says_since_when(watch: Watch) -> None:
    """So that nobody looks for a change of DNS where there was none; TLSRPT breaks no TLS."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.until(NOW + 2 * DAY)
    watch.sky.put(f"_smtp._tls.{DOMAIN}", "TXT", "v=TLSRPTv1;rua=mailto:tlsrpt@example.com")
    watch.until(NOW + 3 * DAY)
    fail(watch, "2026-11-25")

    assert "Nothing in MX, name servers, MTA-STS or TLSA since 23 Nov." == part(
        text_of(mail_of(watch)), "CHANGED SHORTLY BEFORE"
    )


def test_what_was_before_the_first_look_is_not_known(watch: Watch) -> None:
    """It began before anybody looked: that nothing changed would be made up."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.at(NOW)
    fail(watch)

    assert "Not known: first looked at 23 Nov 12:00Z, after it began." == part(
        text_of(mail_of(watch)), "CHANGED SHORTLY BEFORE"
    )


def test_the_first_look_within_the_first_failing_day_proves_nothing(watch: Watch) -> None:
    """The day's report does not say at what hour it began."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.until(NOW + DAY)
    fail(watch, "2026-11-23")

    assert "Not known: first looked at 23 Nov 12:00Z, when it may have begun." == part(
        text_of(mail_of(watch)), "CHANGED SHORTLY BEFORE"
    )


def test_where_dns_answered_no_look_nothing_is_known_of_changes(watch: Watch) -> None:
    """Looks alone are no answers."""
    watch.sky.domain(DOMAIN, mode="enforce")
    darken(watch)
    watch.sky.dark |= {DOMAIN, f"_25._tcp.{HOST}"}
    watch.enrol(DOMAIN)
    watch.at(NOW)
    fail(watch)

    assert "Not known: DNS has answered no look yet." == part(
        text_of(mail_of(watch)), "CHANGED SHORTLY BEFORE"
    )


def test_what_changed_after_it_began_is_named_as_that(watch: Watch) -> None:
    """
    A policy with a new id, which the same mail speaks of, stands beside what is not known; and
    what came later is not when nothing changed "since".
    """
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.at(NOW)
    watch.sky.policy(DOMAIN, "enforce", ["mx.new.example"], "v=STSv1; id=20261123;")
    watch.soon()
    watch.at(NOW + HOUR)
    watch.said("mute")
    fail(watch)

    changed = part(text_of(mail_of(watch)), "CHANGED SHORTLY BEFORE")

    assert changed.startswith("Not known: first looked at 23 Nov 12:00Z, after it began. After it")
    assert "After it began: 23 Nov MTA-STS policy: mx: mx1.shop.example -> mx: mx.new" in changed
    assert "23 Nov MTA-STS record: v=STSv1; id=20261001; -> v=STSv1; id=20261123;" in changed


def test_what_came_after_is_not_since_when_nothing_changed(watch: Watch) -> None:
    """Looked at for two days before, mended on the third: "since" is of the two days."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.until(NOW + 3 * DAY)
    watch.sky.put(DOMAIN, "MX", "10 mx.new.example")
    watch.sky.put("mx.new.example", "A", "192.0.2.9")
    watch.until(NOW + 5 * DAY)
    watch.said("mute")
    fail(watch, "2026-11-25")

    changed = part(text_of(mail_of(watch)), "CHANGED SHORTLY BEFORE")

    assert changed.startswith("Nothing in MX, name servers, MTA-STS or TLSA since 23 Nov. After")
    assert "MX: 10 mx1.shop.example -> 10 mx.new.example" in changed


def test_a_certificate_that_was_replaced_is_a_change(probing: Watch) -> None:
    """The key of the new one fits no TLSA: that is what happened the day before."""
    probing.sky.domain(DOMAIN, mode="enforce")
    shows(probing, NOW, WELL)
    probing.enrol(DOMAIN)
    probing.until(NOW + DAY)
    shows(probing, NOW + DAY, WELL + DAY)
    probing.until(NOW + 2 * DAY)
    fail(probing, "2026-11-25", details=(detail("tlsa-invalid", HOST),))

    assert f"certificate of {HOST} {ADDRESS}: another one is shown" in part(
        text_of(mail_of(probing)), "CHANGED SHORTLY BEFORE"
    )


# ------------------------------------------------------------------------ policy


def moved(watch: Watch) -> None:
    """The MX moved and the policy with it; a sender still holds the old one."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.until(NOW + 2 * DAY)
    watch.sky.put(DOMAIN, "MX", "10 mx.new.example")
    watch.sky.put("mx.new.example", "A", "192.0.2.9")
    watch.sky.policy(DOMAIN, "enforce", ["mx.new.example"], "v=STSv1; id=20261125;")
    watch.until(NOW + 4 * DAY)


def test_until_when_a_sender_may_hold_the_old_policy(watch: Watch) -> None:
    """Its max_age after the last look that found it, whatever stands in DNS today."""
    moved(watch)
    last = max(
        int(at)  # type: ignore[call-overload]
        for (at,) in watch.world.rows(
            "SELECT last_at FROM known WHERE kind = 'policy' AND value LIKE '%mx1%'"
        )
    )
    fail(
        watch,
        "2026-11-26",
        details=(detail("validation-failure", "mx.new.example"),),
    )

    held = part(text_of(mail_of(watch)), "THE POLICY THAT THE SENDER HOLDS")

    assert NOW + DAY < last < NOW + 2 * DAY + HOUR
    assert "MX today mx.new.example" in held
    assert f"policy quoted enforce, mx: {HOST} (max_age 604800)" in held
    assert "policy now enforce, mx: mx.new.example id 20261125" in held
    assert "So Google may still hold the old policy, until 2 Dec at the latest." in held
    assert "The new id has stood in DNS since 26 Nov." in held
    assert f"Until then keep {HOST} answering." in held


def test_the_policy_that_a_sender_holds_is_known_by_its_mode_as_well(watch: Watch) -> None:
    """From testing to enforce with the same hosts: the old one lasts from when it went."""
    watch.sky.domain(DOMAIN, mode="testing")
    watch.enrol(DOMAIN)
    watch.until(NOW + 2 * DAY)
    watch.sky.policy(DOMAIN, "enforce", [HOST], "v=STSv1; id=20261125;")
    watch.until(NOW + 4 * DAY)
    fail(watch, "2026-11-26", mode="testing")
    fail(watch, "2026-11-25", mode="testing")

    held = part(text_of(mail_of(watch)), "THE POLICY THAT THE SENDER HOLDS")

    assert "So Google may still hold the old policy, until 2 Dec at the latest." in held


def test_a_policy_that_nobody_here_has_seen_counts_from_the_report(watch: Watch) -> None:
    """The looks began after the move: then the end of the sender's day is what is known."""
    watch.sky.domain(DOMAIN, mx=("mx.new.example",), mode="enforce")
    watch.sky.put("mx.new.example", "A", "192.0.2.9")
    watch.enrol(DOMAIN)
    watch.at(NOW)
    fail(watch, details=(detail("validation-failure", "mx.new.example"),))

    held = part(text_of(mail_of(watch)), "THE POLICY THAT THE SENDER HOLDS")

    assert "So Google may still hold the old policy, until 30 Nov at the latest." in held
    assert "The new id has stood in DNS since 23 Nov, or longer." in held


def test_where_the_policy_is_gone_it_says_that_none_can_be_had(watch: Watch) -> None:
    """Nothing is invented about what stands there now."""
    watch.sky.domain(DOMAIN)
    watch.sky.put(f"_mta-sts.{DOMAIN}", "TXT", STS)
    watch.enrol(DOMAIN)
    watch.at(NOW)
    fail(watch)

    held = part(text_of(mail_of(watch)), "THE POLICY THAT THE SENDER HOLDS")

    assert "policy now none can be had" in held
    assert "may still hold" not in held


def test_a_sender_that_quotes_no_policy_holds_none(watch: Watch) -> None:
    """Where the quoted policy is the one that is served, or none is quoted, nothing is said."""
    watch.sky.domain(DOMAIN, mode="enforce")
    watch.enrol(DOMAIN)
    watch.at(NOW)
    fail(watch)
    assert "THE POLICY THAT THE SENDER HOLDS" not in text_of(mail_of(watch))

    fail(watch, policy_type="no-policy-found", details=(detail("starttls-not-supported", HOST),))

    assert "THE POLICY THAT THE SENDER HOLDS" not in text_of(mail_of(watch))
