"""What a check found, in words: whole, exact about mail, and safe to paste."""

import re
from pathlib import Path

import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domains import hostile, sights
from tests.domains.records import RIGHT
from tests.domains.sights import NOW
from tlsrpt_mailer.alerts import found
from tlsrpt_mailer.alerts.words import WIDTH
from tlsrpt_mailer.domains import examining
from tlsrpt_mailer.domains.examine import Expected, examine
from tlsrpt_mailer.domains.record import zone_line
from tlsrpt_mailer.failures.probed import BLOCKED
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.times import DAY

DOMAIN, MX = sights.DOMAIN, sights.MX1

CHECKS = Path(examining.__file__).parent
CODE = re.compile(r"\"((?:tlsrpt|mta-sts|dane|mx)-[a-z-]+)\"")
FORMS = (
    *("", "bogus", "no-mail", "dns", "redirect", "null", "address", "nothing", "gone", "refused"),
    *("unknown", "hosted"),
)
every_code = pytest.mark.parametrize("code", found.known_codes())


def told(code: str, mx: str | None = None, **facts: str) -> found.Told:
    return found.told(code, DOMAIN, mx, facts, NOW)


def whole(one: found.Told) -> str:
    return "\n".join([one.phrase, one.brief, *found.text(one)])


def commands_in(one: found.Told) -> str:
    """The lines that a shell or a name server would read."""
    shown = [line for check in one.check for line in check.lines]
    outcomes = ("broken:", "mended:", " " * 9)
    return "\n".join([*one.lines, *(line for line in shown if not line.startswith(outcomes))])


# ----------------------------------------------------------------------- whole


def test_every_finding_has_its_words():
    """Whatever a check finds, a mail can say what it is; and there are no words for nothing."""
    used = {code for file in CHECKS.glob("*.py") for code in CODE.findall(file.read_text())}

    assert used | {BLOCKED} == set(found.known_codes())


@every_code
@pytest.mark.parametrize("mx", [None, MX])
def test_each_says_what_it_is_and_how_to_mend_it(code: str, mx: str | None):
    """Even without a single fact: what, why, steps, and the mend in a line; no place left open."""
    for one in (told(code, mx, form=form) for form in FORMS):
        assert one.phrase.startswith(one.short)
        assert one.what.endswith((".", '."'))
        assert one.why.endswith(".")
        assert one.mend
        assert all(step.endswith((".", '".')) for step in one.mend)
        assert one.brief
        assert not one.brief.endswith(".")
        assert "{" not in whole(one).replace("%{http_code}", "").replace("%{content_type}", "")
        assert 0 < len(one.short) <= 50


def test_what_nobody_knows_is_told_as_that():
    """A finding of a newer version stops no mail."""
    one = told("some-new-code", MX, error="x")

    assert "no words" in one.what
    assert one.brief
    assert () == one.lines


# ----------------------------------------------------------------------- exact


def test_the_record_that_is_gone():
    """As an owner reads it: since when, what it means, the line to publish, how to see it."""
    one = told(
        "tlsrpt-gone",
        seen_right_until="2026-10-11T03:10:00Z",
        line=zone_line(DOMAIN, RIGHT),
        record=RIGHT,
    )

    assert "TLSRPT record gone" == one.short == one.phrase
    assert "The TLSRPT record of shop.example is gone. It was last seen 11 Oct 03:10Z." == one.what
    assert "No mail is held up by this." in one.why
    assert (
        "_smtp._tls.shop.example. IN TXT (",
        '    "v=TLSRPTv1; rua=mailto:tlsrpt@example.com" )',
    ) == one.lines
    assert "dig +short TXT _smtp._tls.shop.example" == one.check[0].lines[0]
    assert "publish the TLSRPT record again" == one.brief


@pytest.mark.parametrize(
    ("mode", "dane", "says", "says_not"),
    [
        ("enforce", "", ["follow the MTA-STS policy give this MX nothing"], ["DANE"]),
        ("testing", "", ["Mail arrives, encrypted", "would be refused"], ["give this MX nothing"]),
        ("none", "", ["most senders do not look at the date"], ["refuse"]),
        ("none", "key", ["look at the key alone"], ["refuse"]),
        ("none", "refused", ["Senders that do DANE refuse this MX"], []),
        ("none", "mismatch", ["for another reason", "Senders without DANE deliver"], ["arrives"]),
        ("testing", "refused", ["Senders without DANE deliver", "2 x x"], ["arrives"]),
        ("enforce", "mismatch", ["give this MX nothing", "(dane-mismatch)"], ["without DANE"]),
        ("enforce", "key", ["give this MX nothing", "look at the key alone"], []),
    ],
)
def test_it_says_what_happens_to_mail(mode: str, dane: str, says: list[str], says_not: list[str]):
    """By the policy in force and by DANE: never that mail is refused where it is not."""
    one = told("mx-certificate-expired", MX, mode=mode, dane=dane, not_after="2026-10-13T00:00:00Z")

    assert all(text in one.why for text in says)
    assert not any(text in one.why for text in says_not)
    assert "expired 13 Oct 00:00Z" in one.what
    assert "certificate expired on mx1.shop.example" == one.phrase


def test_a_name_is_no_reason_to_refuse_where_no_tlsa_record_fits():
    """One finding says that nobody compares the name, and the other why senders refuse."""
    why = told("mx-certificate-name", MX, mode="none", dane="mismatch", names="a.example").why

    assert (
        "Senders without DANE deliver all the same. Senders that do DANE refuse this MX for another"
        " reason: none of its TLSA records fits the certificate, which is a finding of its own"
        " (dane-mismatch). With TLSA 3 x x they do not compare the name."
    ) == why


@every_code
def test_what_holds_no_mail_up_does_not_sound_as_if_it_did(code: str):
    """Trouble with a record or a policy file is no lost mail, and the text says so."""
    one = told(code)

    if code.startswith(("tlsrpt-", "mta-sts-policy", "mta-sts-record", "mta-sts-gone")):
        assert re.search(r"[Nn]o(thing| mail) is held up|not touched|no reports|deliver", one.why)


def test_facts_that_are_missing_leave_no_hole():
    """A sentence without its fact is left out; the first one says that it is not known."""
    bare = told("tlsrpt-trouble")
    full = told("mta-sts-gone", mode="enforce", until="2027-01-02T00:00:00Z")

    assert "DNS gives no answer for the TLSRPT record of shop.example: (not known)." == bare.what
    assert "(mode enforce) keep to it until its max_age is over, at the latest 2 Jan 2027" in (
        full.why
    )
    assert "max_age" not in told("mta-sts-gone", mode="enforce").why


@pytest.mark.parametrize("moment", ["2026-99-99T99:99:99Z", "2026-10-11", "yesterday"])
def test_moments_that_are_none_are_shown_as_they_came(moment: str):
    """A date that cannot be read is no reason to say nothing."""
    assert moment in told("tlsrpt-gone", seen_right_until=moment).what


def test_the_record_of_an_mx_host_is_the_hosts():
    """With an MX host, record and commands are about that host, and the text says why."""
    one = told("tlsrpt-missing", MX)

    assert one.what.startswith("mx1.shop.example publishes no TLSRPT record")
    assert "Senders that do DANE" in one.why
    assert "dig +short TXT _smtp._tls.mx1.shop.example" == one.check[0].lines[0]
    assert ("tlsrpt-mailer record mx1.shop.example",) == one.lines
    assert "DANE" not in told("tlsrpt-missing").why


def test_before_a_record_is_published_its_alias_goes():
    """The first step, as no zone takes the line else; nobody hears of it who publishes nothing."""
    alias = {"cname": f"_smtp._tls.{DOMAIN}", "cname_to": "r.vendor.example"}

    one = told("tlsrpt-gone", **alias)

    assert "_smtp._tls.shop.example is an alias (CNAME) of r.vendor.example" in one.mend[0]
    assert told("tlsrpt-gone").mend == one.mend[1:]
    assert told("tlsrpt-trouble").mend == told("tlsrpt-trouble", **alias).mend


def test_whoever_cannot_mend_it_is_sent_to_who_can():
    """At a provider's host the steps are: tell the provider; and until then let mail through."""
    facts = {"hosted": "Microsoft 365", "tell": "Microsoft (admin.microsoft.com)", "line": "x"}
    one = told("mx-certificate-expired", "a.mail.protection.outlook.com", mode="enforce", **facts)
    quiet = told("mx-certificate-expired", "a.mail.protection.outlook.com", mode="none", **facts)
    dane = told("dane-mismatch", "a.x-v1.mx.microsoft", **facts)

    assert "tell Microsoft (admin.microsoft.com)" == one.brief
    assert ["certbot" in step for step in one.mend] == [False, False]
    assert "run by Microsoft 365" in one.mend[0]
    assert "mode: testing" in one.mend[1]
    assert "_mta-sts.shop.example" in one.mend[1]
    assert 1 == len(quiet.mend)
    assert () == dane.lines
    # The policy is the domain's own, whoever runs the host.
    assert "Microsoft 365" in told("mta-sts-uncovered-mx", "a.mx.microsoft", **facts).mend[-1]
    assert "add the MX" in told("mta-sts-uncovered-mx", "a.mx.microsoft", **facts).brief


def test_a_misspelt_mx_at_a_provider_is_ones_own_to_mend():
    """The likeliest cause comes first, and whom to tell last."""
    facts = {"hosted": "Microsoft 365", "tell": "Microsoft (admin.microsoft.com)"}
    mx = "shop-exmaple.mail.protection.outlook.com"
    one = told("mx-no-address", mx, form="hosted", **facts)

    assert one.mend[0].startswith(f"Compare {mx}, letter by letter, with the MX name that the")
    assert "taken out of your account at Microsoft 365" in one.mend[1]
    assert "tell Microsoft (admin.microsoft.com)" in one.mend[2]
    assert "cannot mend it yourself" not in whole(one)
    assert one.brief.startswith("compare the MX name with the one that Microsoft 365 asks for")


def test_that_all_mail_waits_is_said_where_no_mx_has_an_address():
    """Where another MX has one, it is named."""
    assert "all mail to it waits" in told("mx-no-address", MX, stuck=DOMAIN).why
    assert "these have one: mx2.shop.example." in told("mx-no-address", MX, others=sights.MX2).why
    assert "all mail" not in told("mx-no-address", MX, others=sights.MX2).why


def test_a_form_says_it_in_its_own_way():
    """A redirect is no 404, and the MX records of the domain are no MX host."""
    assert (
        "redirects (status 301)"
        in told("mta-sts-policy-status", form="redirect", status="301").what
    )
    assert "status 404" in told("mta-sts-policy-status", form="status", status="404").what
    assert told("dane-bogus").what.startswith("The MX records of shop.example")
    assert MX in told("dane-bogus", MX, what="TLSA").what
    assert "MX cannot be looked up" == told("mx-trouble").phrase
    assert f"MX cannot be looked up: {MX}" == told("mx-trouble", MX).phrase


# ----------------------------------------------------------------------- paste


@pytest.mark.parametrize("code", ["tlsrpt-missing", "mta-sts-missing"])
def test_where_nothing_is_to_be_done_nothing_is_shown_to_be_published(code: str):
    """A domain that takes no mail is told in words alone, without a record to paste."""
    one = told(code, form="no-mail", line="x. IN TXT y", sts_line="x. IN TXT z")

    assert ("Nothing, as long as it takes no mail.",) == one.mend
    assert ((), ()) == (one.lines, one.check)


def test_lines_for_policy_and_record_stand_apart():
    """Two things to publish in two places."""
    one = told(
        "mta-sts-uncovered-mx",
        MX,
        line=f"mx: {MX}",
        sts_line='_mta-sts.shop.example. IN TXT "v=STSv1; id=20261014T000000;"',
    )

    assert (
        f"mx: {MX}",
        "",
        '_mta-sts.shop.example. IN TXT "v=STSv1; id=20261014T000000;"',
    ) == one.lines


@pytest.mark.parametrize(
    ("code", "line", "instead"),
    [
        ("tlsrpt-invalid", '_smtp._tls.shop.example. IN TXT "$(id)"', "tlsrpt-mailer record"),
        ("tlsrpt-invalid", '_smtp._tls.-x.example. IN TXT "v=TLSRPTv1"', "tlsrpt-mailer record"),
        ("tlsrpt-gone", "", "tlsrpt-mailer record"),
        ("mta-sts-policy-invalid", "mx: a b\n", "tlsrpt-mailer check --json"),
        ("mta-sts-gone", "rm -rf /", "tlsrpt-mailer check --json"),
    ],
)
def test_what_is_not_safe_to_paste_is_not_shown(code: str, line: str, instead: str):
    """The command that prints it stands in its place."""
    one = told(code, line=line)

    assert (f"{instead} shop.example",) == one.lines


def test_a_domain_that_is_no_host_name_stands_in_no_command():
    """It is quoted where nothing reads it, and DOMAIN stands for it where something does."""
    one = found.told("tlsrpt-gone", "x;rm -rf /", None, {}, NOW)

    assert '"x;rm -rf /"' in one.what
    assert "rm" not in commands_in(one)
    assert ("tlsrpt-mailer record DOMAIN",) == one.lines
    assert "_smtp._tls.DOMAIN" in commands_in(one)


def test_long_names_go_into_a_variable():
    """A command stays within the width, and can be pasted as it stands."""
    name = "a" * 57 + ".example"
    one = found.told("tlsrpt-gone", name, None, {"line": zone_line(name, RIGHT)}, NOW)

    assert (f"DOMAIN={name}", "tlsrpt-mailer record $DOMAIN") == one.lines
    assert max(map(len, found.text(one))) <= WIDTH


def test_a_terminal_shows_records_as_they_stand():
    """Each on a line of its own, with its links; once, where what is wrong quotes it already."""
    several = {
        "seen": f"{RIGHT}{found.SEVERAL}v=TLSRPTv1; rua=https://r.example/x\x1b",
        "count": "2",
    }
    quoted = {"seen": "v=TLSRPTv1; rua=https://r.example/x", "wrong": "no pct"}
    shown = found.told("tlsrpt-several", DOMAIN, None, several, NOW, terminal=True)
    mailed = found.told("tlsrpt-several", DOMAIN, None, several, NOW)
    invalid = found.told("tlsrpt-invalid", DOMAIN, None, quoted, NOW, terminal=True)
    quoted["wrong"] = f'"{quoted["seen"]}" is odd'
    again = found.told("tlsrpt-invalid", DOMAIN, None, quoted, NOW, terminal=True)

    text = found.text(shown, "  ")
    at = text.index("    As they stand there:")
    second = '"v=TLSRPTv1; rua=https://r.example/x\\u001b"'
    assert [f'      "{RIGHT}"', f"      {second}"] == text[at + 1 : at + 3]
    assert f'"{RIGHT}" and "v=TLSRPTv1; rua=https[:]//r.example/x' in mailed.what
    assert () == mailed.stands == again.stands
    assert ('"v=TLSRPTv1; rua=https://r.example/x"',) == invalid.stands
    assert 1 == again.what.count("rua=https://r.example/x")


def test_what_is_to_be_published_stands_at_the_margin():
    """A zone file takes a line that begins with a blank for one about the name before it."""
    one = told("tlsrpt-gone", line=zone_line(DOMAIN, RIGHT))

    assert f"_smtp._tls.{DOMAIN}. IN TXT (" == one.lines[0]
    assert one.lines[0] in found.text(one, "  ")


# ------------------------------------------------------------------ properties

NAMES = [
    "name",
    "seen",
    "wrong",
    "line",
    "sts_line",
    "record",
    "foreign",
    "error",
    "mode",
    "dane",
    "until",
    "hosted",
    "tell",
    "form",
    "what",
    "addresses",
    "others",
    "not_after",
    "names",
    "stands",
    "wrong_name",
    "patterns",
    "tlsa",
    "hosts",
    "id",
]
facts_ = st.dictionaries(st.sampled_from(NAMES), hostile.texts)


marked = st.builds("{}zqx{}".format, hostile.texts, hostile.texts)


@given(st.sampled_from(found.known_codes()), marked, st.none() | marked, facts_)
def test_no_text_of_a_stranger_gets_out_of_hand(code, domain, mx, facts) -> None:
    """ASCII, no control characters, no links, within the width, and no stranger in a command."""
    one = found.told(code, domain, mx, facts, NOW)
    prose = [one.phrase, one.what, one.why, one.brief, *one.mend]

    assert all(re.fullmatch("[ -~]*", line) for line in [*prose, *found.text(one)])
    assert all(len(line) <= WIDTH for line in found.text(one))
    assert all(len(line) <= 74 for line in commands_in(one).splitlines())
    assert "://" not in "".join(prose)
    strict = [name for name in (domain, mx) if name is not None and is_strict_host(name)]
    assert strict or "zqx" not in commands_in(one)
    shown = "".join(one.lines).replace("$DOMAIN", "")
    assert re.fullmatch(r'[\w ".~%@:/?&=+;,()*\[\]-]*', shown, re.ASCII)


@given(hostile.seen, hostile.rua)
def test_whatever_a_check_finds_can_be_told_and_pasted(look, rua) -> None:
    """From hostile DNS to the mail: what is to be published is read by a name server."""
    for finding in examine(look, Expected(now=NOW, rua=rua), []):
        one = found.told(finding.code, look.domain, finding.mx, finding.facts, NOW)
        zone_part = [line for line in one.lines if not re.match("(mx|mode|version|max_age):", line)]

        assert all(len(line) <= WIDTH for line in found.text(one))
        assert whole(one).isascii()
        if any("IN T" in line for line in zone_part):
            zone = "\n".join(["$TTL 60", "@ IN SOA a. b. 1 1 1 1 1", "@ IN NS a.", *zone_part])
            dns.zone.from_text(zone, ".", relativize=False)


def test_what_examine_proposes_for_the_worst_names_stays_within_the_width():
    """Sixty-three labels are no reason for a broken mail."""
    name = ".".join(["a"] * 126)
    look = sights.seen(domain=name, record=sights.ABSENT, sts=sights.ABSENT, page=None)

    for finding in examine(look, Expected(now=NOW + DAY, rua=(sights.RUA,)), []):
        one = found.told(finding.code, name, finding.mx, finding.facts, NOW)
        assert max(map(len, found.text(one))) <= WIDTH
