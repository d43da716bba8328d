"""What is found wrong with a domain's MTA-STS."""

from typing import Any

import pytest

from tests.domains import sights
from tests.domains.sights import (
    BOGUS,
    DEAD,
    DOMAIN,
    MX1,
    MX2,
    NOW,
    STS,
    answer,
    codes,
    earlier,
    found,
    page,
    policy,
    seen,
    without_sts,
)
from tlsrpt_mailer.domains.seen import Page
from tlsrpt_mailer.domains.sts import parse_policy, parse_sts
from tlsrpt_mailer.report.times import DAY, iso

YESTERDAY = iso(NOW - DAY)
OTHER_STS = "v=STSv1; id=2;"


def sts_id(line: str) -> str | None:
    return parse_sts([line.partition('"')[2].removesuffix('"')]).id


# ---------------------------------------------------------------------- record


def test_no_policy_is_worth_a_note_with_one_to_begin_with():
    """A domain without MTA-STS is not pestered; who asks gets the file and the record."""
    finding = found("mta-sts-missing", without_sts())
    proposed = parse_policy(finding.facts["line"])

    assert ["mta-sts-missing"] == codes(without_sts())
    assert "note" == finding.weight
    assert ("testing", (MX1, MX2), True) == (proposed.mode, proposed.mx, proposed.is_valid)
    assert f"_mta-sts.{DOMAIN}. IN TXT " in finding.facts["sts_line"]
    parked = found("mta-sts-missing", without_sts(mx=answer("0 ."), hosts=()))
    assert {"form": "no-mail"} == parked.facts


def test_a_policy_behind_a_record_that_is_wrong_binds_nobody():
    """No sender fetches it (RFC 8461, 3.1), so no MX is refused by it."""
    look = seen(sts=answer("v=STSv1; id=not-right;"), page=policy("enforce", MX1))

    assert ["mta-sts-record-invalid"] == codes(look)


def test_where_a_cname_announces_the_policy_the_mend_knows_it():
    """Of hosted MTA-STS the id is changed where the CNAME leads; nothing else minds it."""
    there = seen(sts=answer("v=STSv1; id=;", alias="s.vendor.example"))
    facts = found("mta-sts-record-invalid", there).facts
    unasked = found("mta-sts-testing", seen(page=policy("testing"), sts=answer(STS, alias="a.b")))

    assert (f"_mta-sts.{DOMAIN}", "s.vendor.example") == (facts["cname"], facts["cname_to"])
    assert {} == unasked.facts


def test_a_record_that_is_gone_is_told_while_senders_remember_the_policy():
    """The admin learns until when senders hold him to what he once said."""
    finding = found("mta-sts-gone", without_sts(), earlier(seen()))

    assert "warning" == finding.weight
    assert YESTERDAY == finding.facts["seen_right_until"]
    assert ("enforce", iso(NOW + 6 * DAY)) == (finding.facts["mode"], finding.facts["until"])
    assert sts_id(finding.facts["sts_line"]) not in {None, "20260101T000000"}
    for days in (7, 30):
        assert "until" not in found("mta-sts-gone", without_sts(), earlier(seen(), days)).facts
    assert [] == codes(seen(), earlier(seen(), 2), earlier(without_sts()))


def test_giving_up_in_good_order_is_no_loss():
    """Who served "mode: none" first, as the RFC wants it, is not warned afterwards."""
    none = seen(page=policy("none"))

    assert ["mta-sts-missing"] == codes(without_sts(), earlier(none))
    assert ["mta-sts-none"] == codes(none)
    assert "note" == found("mta-sts-none", none).weight


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("mta-sts-record-invalid", ("v=STSv1; id=2026-01-01",)),
        ("mta-sts-record-invalid", ("v=STS1; id=1",)),
        ("mta-sts-record-invalid", ("v=spf1 -all", "v=DMARC1; p=none")),
        ("mta-sts-record-several", ("v=STSv1; id=1", "v=STSv1; id=2")),
    ],
)
def test_a_broken_record_is_told_with_one_that_is_right(code: str, texts: tuple[str, ...]):
    """To senders there is no policy; what was right the day before is a warning."""
    look = seen(sts=answer(*texts), page=None)
    fresh, after = found(code, look), found(code, look, earlier(seen()))

    assert ("notice", "warning") == (fresh.weight, after.weight)
    assert "seen_right_until" not in fresh.facts
    assert YESTERDAY == after.facts["seen_right_until"]
    assert "enforce" == after.facts["mode"]
    assert fresh.facts["wrong"]
    assert fresh.facts["seen"] in " | ".join(texts)
    assert sts_id(fresh.facts["sts_line"])
    assert ("2" if "several" in code else None) == fresh.facts.get("count")


def test_a_record_that_some_may_not_read_is_told():
    """It counts, so the policy is looked at all the same."""
    look = seen(sts=answer("v=STSv1 ; id=20260101T000000"))

    assert ["mta-sts-record-risky"] == codes(look)
    assert "notice" == found("mta-sts-record-risky", look).weight


def test_a_name_server_without_an_answer_is_no_gone_record():
    """Trouble of DNS is told as that."""
    look = seen(sts=DEAD, page=None)

    assert ["mta-sts-trouble"] == codes(look, earlier(seen()))
    assert {"error": "timed out"} == found("mta-sts-trouble", look).facts
    assert "bogus" == found("mta-sts-trouble", seen(sts=BOGUS, page=None)).facts["form"]


def test_what_is_proposed_stays_the_same_from_look_to_look():
    """A finding does not change every night, though its id is made of a moment."""
    day1, day2 = earlier(without_sts()), without_sts()

    first = found("mta-sts-gone", day1, earlier(seen(), 2)).facts["sts_line"]
    second = found("mta-sts-gone", day2, earlier(seen(), 2), day1).facts["sts_line"]
    assert first == second


# ---------------------------------------------------------------------- policy


@pytest.mark.parametrize(
    ("served", "code", "facts"),
    [
        (Page(kind="dns", error="no address"), "unreachable", {"form": "dns"}),
        (Page(kind="unreachable", error="refused", address="192.0.2.9"), "unreachable",
         {"address": "192.0.2.9", "error": "refused"}),
        (Page(kind="timeout", error="timed out"), "unreachable", {"form": "timeout"}),
        (Page(kind="certificate", error="certificate has expired"), "certificate",
         {"error": "certificate has expired"}),
        (Page(kind="status", status=404), "status", {"status": "404", "form": "status"}),
        (Page(kind="redirect", status=301, location="https://x.example/"), "status",
         {"status": "301", "form": "redirect", "location": "https://x.example/"}),
        (Page(kind="too-large"), "invalid", {"wrong": "it is larger than 64 KiB"}),
        (page("<html>"), "invalid", {"wrong": "it is a page of HTML"}),
    ],
)  # fmt: skip
def test_a_policy_that_senders_do_not_get_is_told(served: Page, code: str, facts: dict[str, str]):
    """Nothing is held up by it, so it is a warning at most, and only where there was one before."""
    look = seen(page=served)
    fresh = found(f"mta-sts-policy-{code}", look)
    after = found(f"mta-sts-policy-{code}", look, earlier(seen()))

    assert [f"mta-sts-policy-{code}"] == codes(look)
    assert facts.items() <= fresh.facts.items()
    assert ("notice", "warning") == (fresh.weight, after.weight)
    assert "until" not in fresh.facts
    assert iso(NOW + 6 * DAY) == after.facts["until"]
    assert (YESTERDAY, "enforce") == (after.facts["seen_right_until"], after.facts["mode"])


def test_the_last_policy_that_was_right_is_what_senders_remember():
    """A file that was broken before it went does not make them forget."""
    broken = earlier(seen(page=page("<html>")))
    finding = found(
        "mta-sts-policy-unreachable", seen(page=Page(kind="timeout")), earlier(seen(), 2), broken
    )

    assert ("warning", iso(NOW - 2 * DAY)) == (finding.weight, finding.facts["seen_right_until"])


def test_a_broken_policy_is_mended_with_what_is_right_in_it():
    """The file that is proposed keeps mode, hosts and age, and names each MX of now."""
    look = seen(page=page("version: STSv1\nmode: testing\nmx: *.mail.example\nmax-age: 86400\n"))
    finding = found("mta-sts-policy-invalid", look)
    proposed = parse_policy(finding.facts["line"])

    assert '"max-age:" is written "max_age:"; no line "max_age: SECONDS"' == finding.facts["wrong"]
    assert ("testing", ("*.mail.example", MX1, MX2)) == (proposed.mode, proposed.mx)
    assert () == proposed.flaws
    assert sts_id(finding.facts["sts_line"])
    again = found("mta-sts-policy-invalid", seen(page=page("<html>")), earlier(seen()))
    assert "enforce" == parse_policy(again.facts["line"]).mode


@pytest.mark.parametrize("media_type", [None, "text/html", "application/octet-stream"])
def test_a_wrong_media_type_is_told(media_type: str | None):
    """Some senders take nothing but text/plain."""
    text = policy().text
    look = seen(page=page(text, media_type))

    assert ["mta-sts-policy-media-type"] == codes(look)
    finding = found("mta-sts-policy-media-type", look)
    assert ("notice", media_type) == (finding.weight, finding.facts.get("media_type"))


def test_a_policy_that_some_may_not_read_is_told():
    """It counts; the file that is proposed says the same."""
    look = seen(page=page(policy().text + "\n"))
    finding = found("mta-sts-policy-risky", look)

    assert ["mta-sts-policy-risky"] == codes(look)
    assert policy().text == finding.facts["line"]


@pytest.mark.parametrize(
    ("age", "weight"),
    [(0, "notice"), (DAY - 1, "notice"), (DAY, "note"), (7 * DAY - 1, "note"), (7 * DAY, None)],
)
def test_a_policy_that_is_soon_forgotten_is_told(age: int, weight: str | None):
    """Under a day it protects next to nothing; under a week little."""
    look = seen(page=policy(max_age=age))

    expected = [] if weight is None else ["mta-sts-max-age-short"]
    assert expected == codes(look)
    if weight is not None:
        finding = found("mta-sts-max-age-short", look)
        assert (weight, str(age)) == (finding.weight, finding.facts["max_age"])
        assert "max_age: 604800" == finding.facts["line"]


def test_testing_is_a_note():
    """The state of a domain can be read, and nobody is mailed about it."""
    look = seen(page=policy("testing"))

    assert ["mta-sts-testing"] == codes(look)
    assert "note" == found("mta-sts-testing", look).weight


# ------------------------------------------------------------------ MX hosts


@pytest.mark.parametrize(
    ("mode", "weight"), [("enforce", "critical"), ("testing", "warning"), ("none", None)]
)
def test_an_mx_that_the_policy_does_not_name_is_told(mode: Any, weight: str | None):
    """A move of the MX without the policy: senders refuse the new host, one finding a host."""
    look = sights.with_host(
        sights.host("new1.example"), sights.host("new2.example"), sights.host(MX1),
        page=policy(mode, MX1),
    )  # fmt: skip
    there = [one for one in sights.findings(look) if one.code == "mta-sts-uncovered-mx"]

    assert ([] if weight is None else ["new1.example", "new2.example"]) == [one.mx for one in there]
    assert all(weight == one.weight for one in there)
    for one in there:
        assert f"mx: {one.mx}" == one.facts["line"]
        assert (mode, MX1) == (one.facts["mode"], one.facts["patterns"])
        assert "until" not in one.facts


def test_a_move_of_the_mx_plays_through():
    """From a change to its end: MX moved, policy added to, all is quiet."""
    moved = {"mx": answer("10 new.example"), "hosts": (sights.host("new.example"),)}
    day1, day2 = earlier(seen(), 2), earlier(seen(**moved))
    mended = seen(**moved, page=policy("enforce", MX1, "new.example"), sts=answer(OTHER_STS))

    assert [] == codes(day1)
    assert ["mta-sts-uncovered-mx"] == codes(day2, day1)
    assert [] == codes(mended, day1, day2)


def test_a_policy_that_is_gone_still_binds_those_who_remember_it():
    """While max_age lasts a new MX is refused, though no policy can be seen any more."""
    moved = {"mx": answer("10 new.example"), "hosts": (sights.host("new.example"),)}
    look = without_sts(**moved)
    finding = found("mta-sts-uncovered-mx", look, earlier(seen(), 2))

    assert "critical" == finding.weight
    assert iso(NOW + 5 * DAY) == finding.facts["until"]
    assert "mta-sts-uncovered-mx" not in codes(look, earlier(seen(), 7))
    unfetched = seen(**moved, page=Page(kind="timeout"))
    assert "critical" == found("mta-sts-uncovered-mx", unfetched, earlier(seen(), 2)).weight
    assert "mta-sts-uncovered-mx" not in codes(unfetched)


def test_hosts_of_a_provider_are_named_as_such():
    """The policy is the admin's own to mend, but its lines are the provider's to name."""
    name = "shop.mail.protection.outlook.com"
    look = sights.with_host(sights.host(name), page=policy("enforce", MX1))

    assert "Microsoft 365" == found("mta-sts-uncovered-mx", look).facts["hosted"]
    ours = found("mta-sts-uncovered-mx", look, is_our_mx=name.__eq__)
    assert "hosted" not in ours.facts


# ------------------------------------------------------------------------ id


def test_a_policy_that_changed_under_the_same_id_is_told():
    """Senders that know the old one do not look again until it is over."""
    old, new = earlier(seen(page=policy("testing"))), seen()
    finding = found("mta-sts-id-unchanged", new, old)

    assert ["mta-sts-id-unchanged"] == codes(new, old)
    assert "warning" == finding.weight
    assert {
        "id": "20260101T000000",
        "changed_after": YESTERDAY,
        "until": iso(NOW + 6 * DAY),
        "old_mode": "testing",
        "mode": "enforce",
    }.items() <= finding.facts.items()
    assert sts_id(finding.facts["sts_line"]) not in {None, "20260101T000000"}


@pytest.mark.parametrize(
    "before",
    [policy("enforce", MX1, MX2, max_age=30 * DAY), policy("enforce", MX1, "*.shop.example")],
)
def test_each_part_of_a_policy_counts_as_a_change(before: Page):
    """Not the mode alone: senders that remember it keep to its hosts, for as long as it says."""
    assert ["mta-sts-id-unchanged"] == codes(seen(), earlier(seen(page=before)))


def test_it_is_over_with_a_new_id_or_when_the_old_policy_is_forgotten():
    """The story ends by mending it, or by itself."""
    old, between = earlier(seen(page=policy("testing")), 8), earlier(seen(), 7)

    assert ["mta-sts-id-unchanged"] == codes(between, old, now=NOW - 7 * DAY)
    mended = earlier(seen(sts=answer(OTHER_STS)), 6)
    assert [] == codes(mended, old, between, now=NOW - 6 * DAY)
    assert [] == codes(seen(), old, between)


def test_an_id_that_came_before_its_policy_is_told():
    """Who raises the id first and changes the file after it has senders fetch the old file."""
    day1 = earlier(seen(page=policy("testing")), 2)
    day2 = earlier(seen(page=policy("testing"), sts=answer(OTHER_STS)))
    day3 = seen(sts=answer(OTHER_STS))

    assert ["mta-sts-id-unchanged"] == codes(day3, day1, day2)


@pytest.mark.parametrize(
    "served",
    [
        page(policy().text.replace("\n", "\r\n")),
        page("max_age: 604800\n" + policy().text.replace("max_age: 604800\n", "")),
        page(policy().text + "later: thing\n"),
    ],
)
def test_a_file_that_says_the_same_is_no_change(served: Page):
    """Another web server with other line ends does not alarm anybody."""
    assert [] == codes(seen(page=served), earlier(seen()))


def test_a_policy_that_was_broken_in_between_changes_nothing():
    """What senders remember is the last one that was right."""
    broken = earlier(seen(page=page("<html>")))

    assert [] == codes(seen(), earlier(seen(), 2), broken)
    assert ["mta-sts-id-unchanged"] == codes(
        seen(), earlier(seen(page=policy("testing")), 2), broken
    )


def test_long_policies_are_compared_by_what_is_remembered_of_them():
    """A change behind the first 8 KiB is not seen; one before it is, and none is made up."""
    hosts = [f"mx{n}.{'a' * 60}.example" for n in range(200)]
    text = policy("enforce", MX1, MX2, *hosts).text
    head = "version: STSv1\nmax_age: 604800\nmode: enforce\n"
    long = seen(page=page(head + text.partition("enforce\n")[2].replace("max_age: 604800\n", "")))
    text = long.page.text

    assert [] == codes(long, earlier(long))
    assert [] == codes(long, earlier(seen(page=page(text + "mx: last.example\n"))))
    assert [] == codes(seen(page=page(text.replace(": ", ":", 1))), earlier(long))
    testing = earlier(seen(page=page(text.replace("enforce", "testing"))))
    assert ["mta-sts-id-unchanged"] == codes(long, testing)
