"""MTA-STS records and policies, to the letter of RFC 8461, 3.1 and 3.2."""

import pytest

from tests.alerts.examples import at
from tlsrpt_mailer.domains.flaw import Flaw
from tlsrpt_mailer.domains.sts import (
    LONGEST_AGE,
    covers,
    is_meant,
    parse_policy,
    parse_sts,
    policy_text,
    sts_text,
)


def marked(flaws: tuple[Flaw, ...]) -> list[str]:
    return ["!" * one.is_fatal + one.code for one in flaws]


@pytest.mark.parametrize(
    ("texts", "id_", "flaws"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z", []),
        (["v=STSv1;id=1"], "1", []),
        (["v=STSv1; id=" + "a" * 32], "a" * 32, []),
        (["v=STSv1; ext=x/y; id=1 ;"], "1", []),
        (["v=spf1 -all", "v=STSv1; id=1"], "1", []),
        (["v=STSv1; id=1", "v=STSV1; id=2"], "1", []),
        (["v=STSv1; id=" + "a" * 33], None, ["!id-value"]),
        (["v=STSv1; id=2016-08-31"], None, ["!id-value"]),
        (["v=STSv1; id="], None, ["!id-value"]),
        (["v=STSv1; id= 1"], None, ["!id-value"]),
        (["v=STSv1; id=20160831\u0661"], None, ["!id-value"]),
        (["v=STSv1;"], None, ["!no-id"]),
        (["v=STSv1"], None, ["!no-id"]),
        (["v=STSv1; ID=1"], None, ["field-capitals", "!no-id"]),
        (["v=STSv1;; id=1"], "1", ["!empty-field"]),
        (["v=STSv1; id=1; word"], "1", ["!no-field"]),
        (["v=STSv1; id=1; a=b c"], "1", ["!field-value"]),
        (["v=STSv1 ; id=1"], "1", ["blank-before"]),
        (["v=STSv1; id=1; id=2"], "1", ["field-twice"]),
        (["v=STSv1; id=1", "v=STSv1 ; id=2"], "1", ["second"]),
        (["v=STSv1; id=1", "v=STSv1; id=2"], None, ["!several"]),
        (["v=STSv1 ; id=1", "v=STSv1 ; id=2"], None, ["!several"]),
        (["v=STSV1; id=1"], None, ["!capitals"]),
        (["v=STS1; id=1"], None, ["!spelling"]),
        (["v=STSv10; id=1"], None, ["!other-version"]),
        (["v=STSv2; id=1"], None, ["!other-version"]),
        ([r"v=STSv1\; id=1"], None, ["!backslash"]),
        (['"v=STSv1; id=1"'], None, ["!quotes"]),
        (["v=STSv1 id=1"], None, ["!delimiter"]),
        (["id=1"], None, ["!no-version"]),
        (["v=TLSRPTv1; rua=mailto:a@b.example"], None, ["!tlsrpt"]),
        (["v=DMARC1; p=none"], None, ["!dmarc"]),
        (["v=spf1 -all"], None, []),
        ([], None, []),
    ],
)
def test_a_record_is_judged_by_the_letter(texts: list[str], id_: str | None, flaws: list[str]):
    """What senders take for "no policy" is named, and so is what they may trip over."""
    record = parse_sts(texts)

    assert flaws == marked(record.flaws)
    assert id_ == record.id
    is_right = id_ is not None and not any(one.startswith("!") for one in flaws)
    assert is_right == record.is_valid
    assert all(flaw.words for flaw in record.flaws)


def test_only_what_was_meant_as_a_record_is_remembered():
    """Other TXT records that come and go at that name are no change of the policy."""
    assert is_meant("v=STSv1; id=1")
    assert is_meant("v=STSv1 ; id=1")
    assert is_meant("v=STS1; id=1")
    assert not is_meant("v=spf1 -all")
    assert not is_meant("v=DMARC1; p=none")


def test_a_new_record_has_another_id():
    """Senders look again only when the id differs from the one they know."""
    now = at("2026-10-14T11:43")

    assert "v=STSv1; id=20261014T114300;" == sts_text(now)
    assert "v=STSv1; id=20261014T114300b;" == sts_text(now, "20261014T114300")
    assert parse_sts([sts_text(now)]).is_valid
    assert parse_sts([sts_text(now, "20261014T114300")]).is_valid


# ---------------------------------------------------------------------- policy

RIGHT = "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmx: *.example.net\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        (RIGHT, []),
        (RIGHT.replace("\n", "\r\n"), []),
        (RIGHT.rstrip("\n"), []),
        (RIGHT.replace(": ", ":"), []),
        (RIGHT.replace(": ", ":\t  "), []),
        (RIGHT.replace("\n", "  \n"), []),
        ("max_age: 0\nmx: a.example\nmode: testing\nversion: STSv1", []),
        (RIGHT + "new-key: something new \u00fc\n", []),
        ("version: STSv1\nmode: none\nmax_age: 86400\n", []),
        (RIGHT.replace("604800", "31557600"), []),
        (RIGHT.replace("604800", "31557601"), ["!max-age-value"]),
        (RIGHT.replace("604800", "12345678901"), ["!max-age-value"]),
        (RIGHT.replace("604800", "-1"), ["!max-age-value"]),
        (RIGHT.replace("604800", "7d"), ["!max-age-value"]),
        (RIGHT.replace("604800", "\u0661"), ["!max-age-value"]),
        (RIGHT.replace("max_age", "max-age"), ["key-near", "!no-max-age"]),
        (RIGHT.replace("max_age", "maxage"), ["key-near", "!no-max-age"]),
        (RIGHT.replace("max_age: 604800\n", ""), ["!no-max-age"]),
        (RIGHT.replace("mode: enforce\n", ""), ["!no-mode"]),
        (RIGHT.replace("enforce", "enforced"), ["!mode-value"]),
        (RIGHT.replace("enforce", "Enforce"), ["!mode-value"]),
        (RIGHT.replace("mode:", "Mode:"), ["key-near", "!no-mode"]),
        (RIGHT.replace("version: STSv1\n", ""), ["!no-version-line"]),
        (RIGHT.replace("STSv1", "STSv2"), ["!version-value"]),
        (RIGHT.replace("version: STSv1", "v=STSv1"), ["!line", "!no-version-line"]),
        (RIGHT.replace("mode: ", "mode : "), ["!line", "!no-mode"]),
        (RIGHT.replace("mode: enforce", "mode:"), ["!line", "!no-mode"]),
        (" " + RIGHT, ["!line", "!no-version-line"]),
        (
            RIGHT.replace("\n", "\r"),
            ["!line", "!no-version-line", "!no-mode", "!no-max-age", "!no-mx"],
        ),
        (RIGHT.replace("mx: mx1.example.com\nmx: *.example.net\n", ""), ["!no-mx"]),
        (RIGHT.replace("mx1.example.com", "mx*.example.com"), ["!mx-value"]),
        (RIGHT.replace("mx1.example.com", "a.*.example.com"), ["!mx-value"]),
        (RIGHT.replace("mx1.example.com", "*."), ["!mx-value"]),
        (RIGHT.replace("mx1.example.com", ".example.com"), ["!mx-value"]),
        (RIGHT.replace("mx1.example.com", "mx1.example.com."), ["!mx-value"]),
        (RIGHT.replace("mx1.example.com", "mx1.example.com mx2.example.com"), ["!mx-value"]),
        (RIGHT.replace("mx1.example.com", "192.0.2.1"), ["!mx-value"]),
        (RIGHT.replace("mx1.example.com", "b\u00fccher.example"), ["!mx-value"]),
        (RIGHT + "mode: none\n", ["line-twice"]),
        (RIGHT + "version: STSv2\n", ["line-twice"]),
        (RIGHT + "x: 1\nx: 2\n", ["line-twice"]),
        (RIGHT + "\n", ["empty-line"]),
        (RIGHT.replace("\n", "\n \n", 1), ["empty-line"]),
        ("<!DOCTYPE html><html></html>", ["!html"]),
        ("\ufeff" + RIGHT, ["!bom"]),
        ("", ["!empty-file"]),
        (" \r\n", ["!empty-file"]),
        ("not found", ["!line", "!no-version-line", "!no-mode", "!no-max-age", "!no-mx"]),
    ],
)
def test_a_policy_is_judged_by_the_letter(text: str, flaws: list[str]):
    """A file that senders refuse is told, with the line that is wrong; one that counts is not."""
    policy = parse_policy(text)

    assert flaws == marked(policy.flaws)
    assert policy.is_valid == (not any(one.startswith("!") for one in flaws))
    assert all(flaw.words for flaw in policy.flaws)


def test_what_a_policy_says_is_read():
    """Of a key that stands there twice the first counts; of mx lines all."""
    policy = parse_policy(RIGHT.replace("mx1.example.com", "MX1.Example.com") + "mode: none\n")

    assert ("enforce", 604_800) == (policy.mode, policy.max_age)
    assert ("mx1.example.com", "*.example.net") == policy.mx


def test_what_is_wrong_hides_nothing_beside_it():
    """A mend keeps as much of a broken policy as is right."""
    policy = parse_policy("mode: testing\nmx: a.example\nmx: b b\nmax_age: x\n")

    assert ("testing", None, ("a.example",)) == (policy.mode, policy.max_age, policy.mx)


@pytest.mark.parametrize(
    ("pattern", "host", "is_covered"),
    [
        ("mx1.example.com", "mx1.example.com", True),
        ("mx1.example.com", "MX1.example.com.", True),
        ("MX1.Example.com", "mx1.example.com", True),
        ("mx1.example.com", "mx2.example.com", False),
        ("*.example.com", "mx1.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.mx1.example.com", False),
        ("*.example.com", "mx1.example.org", False),
        ("example.com", "mx1.example.com", False),
        ("*.com", "example.com", True),
        ("*.b\u00fccher.example", "mx.xn--bcher-kva.example", True),
    ],
)
def test_a_wildcard_stands_for_one_label(pattern: str, host: str, is_covered: bool):
    """An MX that senders refuse is told, and none that they take (RFC 8461, 4.1)."""
    assert is_covered == covers(["other.example", pattern], host)
    assert not covers([], host)


@pytest.mark.parametrize("mode", ["enforce", "testing", "none"])
def test_a_policy_that_is_proposed_is_right(mode):
    """It can be served as it is, whatever names the MX records hold."""
    text = policy_text(mode, ["mx1.example.com", "MX1.example.com.", "*.b\u00fccher.example"])
    policy = parse_policy(text)

    assert () == policy.flaws
    assert mode == policy.mode
    assert ("mx1.example.com", "*.xn--bcher-kva.example") == policy.mx


def test_without_any_mx_host_a_policy_can_only_be_none():
    """A policy that would refuse all mail is never proposed; ages stay in their bounds."""
    policy = parse_policy(policy_text("enforce", ["no name", "192.0.2.1"], 10**9))

    assert ("none", LONGEST_AGE, ()) == (policy.mode, policy.max_age, policy.flaws)
    assert 0 == parse_policy(policy_text("enforce", ["a.example"], -1)).max_age
