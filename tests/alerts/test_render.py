"""The mails, read as their receiver reads them: the first lines, what to do, the headers."""

import csv
import email
import email.policy
import io
import re

import msgspec
import pytest

from tests.alerts.every_kind import view
from tests.alerts.examples import BAD_DAY, ME, NOW, at, context, group, item, over, seen, told
from tlsrpt_mailer.alerts.model import Previous, Transition
from tlsrpt_mailer.alerts.render import render, render_test
from tlsrpt_mailer.report.times import DAY

MX = "mx1.mail.example.net"


def head(rendered):
    return rendered.text.split("\n\n")[0].splitlines()


def parsed(rendered):
    return email.message_from_bytes(rendered.raw, policy=email.policy.default)


def text_of(one, **more):
    return render(group(one), context(**more)).text


def tenants(count=12, refused=4, start=41):
    """Domains behind one MX, the first of them under enforce, the last without a policy."""
    return [
        item(
            n,
            cause=41,
            domain=f"d{n}.example",
            mx=MX,
            mode="enforce" if n < start + refused else "testing",
            severity="critical" if n < start + refused else "warning",
            failed=1000 - n,
            sessions=2000,
            evidence=(seen(failed=1000 - n, sessions=2000),),
        )
        for n in range(start, start + count)
    ]


def left(*items, when=NOW - DAY):
    return tuple(Transition(one, "left", 2, told(one.failure, at=when)) for one in items)


# ------------------------------------------------------------------- a new failure


def test_the_first_lines_tell_whether_to_get_up():
    """Refused mail, what broke, how much, and that another MX takes it, in four lines."""
    assert [
        "Senders refuse to deliver mail for example.com to mx1.example.com.",
        'Its certificate has expired, and the MTA-STS policy says "enforce".',
        "Google, 13 Oct: 1,893 of 5,326 sessions failed (36 %).",
        "No failures are reported for mx2.example.com: mail should still get in there.",
    ] == head(render(group(item()), context()))


def test_the_mail_can_be_acted_upon():
    """It says how old the news is, how to look now, what is seen, how to mend, what comes next."""
    text = text_of(item())

    assert "The report is about 13 Oct; it came today at 11:42Z (1 min ago)." in text
    assert "    openssl s_client -starttls smtp -connect mx1.example.com:25 \\\n" in text
    assert "    broken:  Verification error: certificate has expired" in text
    assert 'Set "mode: testing" in the MTA-STS policy' in text
    assert "192.0.2.10 (1,210) and 2001:db8::10 (683)" in text
    assert "It began between 12 Oct 24:00Z and 13 Oct 24:00Z." in text
    assert "The report carries a valid DKIM signature of the reporter." in text
    assert "Not looked at from here" in text
    assert "17 Oct at the earliest" in text
    assert "tlsrpt-mailer failures show 17" in text
    assert 'tlsrpt-mailer failures ack 17 --note "on it"' in text
    assert "ANSWER THIS MAIL" not in text


def test_a_signature_that_any_customer_gets_proves_nothing():
    """Who mails by mail.ru is signed by mail.ru; the name bears a mark then."""
    text = text_of(item(evidence=(seen("Mail.ru (unverified)", trust="pass"),)))

    assert "No signature proves who wrote this report." in text


@pytest.mark.parametrize(
    ("trusts", "said"),
    [
        (("pass", "pass"), "The reports carry valid DKIM signatures of their reporters."),
        (("unchecked", "unchecked"), "Reports are not authenticated (trust.dkim is off)."),
        (("operator",), "The report was imported, or taken on an operator's word;"),
        (("operator", "operator"), "The reports were imported, or taken on an operator's word;"),
        (("pass", "unsigned"), "Not all of these reports carry a valid DKIM signature"),
        (("fail", "history"), "No signature proves who wrote these reports."),
        (("pass", None), "The reports carry valid DKIM signatures of their reporters."),
        ((None,), None),
    ],
)
def test_the_evidence_says_whose_word_it_is(trusts: tuple[str | None, ...], said: str | None):
    """A reader knows whether somebody may have made it up; clean windows prove nothing here."""
    rows = tuple(seen(trust=trust) for trust in trusts)
    text = text_of(item(evidence=(*rows, seen(failed=0, trust="unsigned"))))

    claims = ("signature", "authenticated", "imported")
    assert (said is not None) == any(one in text for one in claims)
    assert said is None or said in " ".join(text.split())


def test_the_subject_names_state_domain_and_place():
    """A phone shows what broke where before the mail is opened."""
    rendered = render(group(item()), context())

    assert (
        "CRITICAL example.com: certificate expired on mx1.example.com [tlsrpt 17]"
        == rendered.subject
        == parsed(rendered)["Subject"]
    )


def test_a_threading_subject_does_not_change_with_the_state():
    """Gmail threads by subject, so broken and mended have the same one."""
    style = context(subject="thread")
    fetch = item(21, mx=None, result_type="sts-policy-fetch-error")

    assert (
        "TLS: certificate expired on mx1.example.com [tlsrpt 17]"
        == render(group(item()), style).subject
        == render(group(over(), kind="resolved", event="resolved"), style).subject
    )
    assert (
        "example.com: MTA-STS policy cannot be fetched [tlsrpt 21]"
        == render(group(fetch), style).subject
    )


def opening(rendered) -> str:
    """The first lines, on one line."""
    return " ".join(rendered.text.partition("\n\n")[0].split())


def test_a_long_subject_is_cut_from_the_right():
    """Never in the domain, and the number stays."""
    domain = f"{'a' * 60}.{'b' * 60}.example"

    subject = render(group(item(domain=domain, mx=f"mx.{domain}")), context()).subject

    assert subject.startswith(f"CRITICAL {domain}: certi")
    assert subject.endswith("... [tlsrpt 17]")


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"mx": "mx2.example.com"}, "No failures are reported for mx1.example.com"),
        (
            {"mx_host": ("mx1.example.com",), "failed": 5326},
            "The policy names no other MX: mail waits",
        ),
        (
            {"mx_host": ("mx1.example.com",), "failed": 120, "sessions": 520},
            "The policy names no other MX, but 400 of 520 sessions worked: not all mail waits.",
        ),
        ({"mx_host": ("*.example.com",)}, "Where no other MX will do, mail waits"),
        ({"mx_host": ()}, "Where no other MX will do, mail waits"),
        ({"mx": None}, "Where no other MX will do, mail waits"),
        (
            {"mx_host": (), "policy_string": ("mx: mx1.example.com", "mx: mx2.example.com.")},
            "No failures are reported for mx2.example.com",
        ),
    ],
)
def test_whether_another_mx_takes_the_mail(more, line):
    """The line that lets somebody sleep on claims no more than the report tells."""
    mx = {"mx": more.pop("mx")} if "mx" in more else {}
    row = seen(**({"mx_host": ("mx1.example.com", "mx2.example.com")} | more))

    assert line in opening(render(group(item(evidence=(row,), **mx)), context()))


@pytest.mark.parametrize(
    ("hosts", "more", "line"),
    [
        (
            ("mx1.example.com",),
            {},
            "; no failures are reported for mx1.example.com: mail should still get in there.",
        ),
        (
            ("*.mail.example.com",),
            {"failed": 120, "sessions": 520},
            "; 400 of 520 sessions worked all the same.",
        ),
        (
            ("*.com",),
            {"failed": 520, "sessions": 520},
            "; where no MX that it lists will do, mail waits, and is returned in the end.",
        ),
    ],
)
def test_an_mx_that_the_held_policy_does_not_list_is_told_as_that(hosts, more, line):
    """The cause is said, and nobody is told that all mail waits at an MX that still takes it."""
    row = seen(mx_host=hosts, **more)
    newer = seen("Microsoft", failed=0, mx_host=("mx2.example.com",))
    one = item(mx="mx2.example.com", evidence=(newer, row))

    assert f"The policy that the sender holds does not list mx2.example.com{line}" in opening(
        render(group(one), context())
    )


@pytest.mark.parametrize(
    ("dark", "line"),
    [
        (frozenset(), "This is the only MX: mail waits, and is returned in 1 to 5 days."),
        ({"mx"}, "No failures are reported for mx2.example.com: mail should still get in there."),
    ],
)
def test_the_only_mx_of_today_is_told_as_that(dark, line):
    """The policy names one more, which is gone; where DNS did not answer nobody knows that."""
    row = seen(mx_host=("mx1.example.com", "mx2.example.com"), failed=5326)
    looked = view(mx=("mx1.example.com",), dark=frozenset(dark))

    rendered = render(group(item(evidence=(row,), view=looked)), context())

    assert line in opening(rendered)


def test_a_wildcard_of_the_policy_lists_what_is_one_label_below_it():
    """RFC 8461, 4.1: it is no name that the policy does not list."""
    row = seen(mx_host=("*.example.com",))

    assert "does not list" not in opening(render(group(item(evidence=(row,))), context()))


def test_every_mx_may_be_broken():
    """With the other MX failing as well, nobody is told to sleep on."""
    both = item(18, cause=18, mx="mx2.example.com")
    row = seen(mx_host=("mx1.example.com", "mx2.example.com"), failed=5326)
    rendered = render(group(item(evidence=(row,)), elsewhere=(both,)), context())
    some = render(group(item(), elsewhere=(both,)), context())

    assert "Every MX of the policy fails: mail waits" in opening(rendered)
    assert (
        "Every MX of the policy fails, but 3,433 of 5,326 sessions worked: not all mail waits."
    ) in opening(some)
    assert "18  critical  certificate expired on mx2.example.com" in rendered.text


@pytest.mark.parametrize(
    ("more", "first", "second"),
    [
        (
            {"mode": "testing"},
            'Mail for example.com still arrives: the MTA-STS policy is in mode "testing".',
            "Certificate expired on mx1.example.com.",
        ),
        (
            {"mode": "none"},
            'Mail for example.com still arrives: the MTA-STS policy is in mode "none".',
            "Certificate expired on mx1.example.com.",
        ),
        (
            {"policy_type": "no-policy-found", "mode": None},
            "Mail for example.com still arrives: no policy forbids it.",
            "Certificate expired on mx1.example.com.",
        ),
        (
            {"mode": None},
            "Mail for example.com may be refused: no report says if the policy is enforced.",
            "Certificate expired on mx1.example.com.",
        ),
        (
            {"policy_type": "tlsa", "result_type": "tlsa-invalid", "mode": None},
            "DANE senders refuse to deliver mail for example.com to mx1.example.com.",
            "No TLSA record fits its certificate.",
        ),
        (
            {"policy_type": "tlsa", "result_type": "dane-required", "mode": None},
            "One sender that insists on DANE holds back its mail for example.com.",
            "It found no validated TLSA record.",
        ),
        (
            {"result_type": "sts-policy-fetch-error", "mx": None},
            "No mail is held up. But example.com has lost the protection of MTA-STS.",
            "Senders cannot fetch the policy file from mta-sts.example.com.",
        ),
    ],
)
def test_the_first_line_says_whether_mail_is_held_up(more, first, second):
    """By policy and kind of failure, and without a word more than reports can tell."""
    assert [first, second] == head(render(group(item(**more)), context()))[:2]


def test_a_policy_that_cannot_be_fetched_counts_lookups():
    """38 of 38 is no mail lost; one reporter alone points to a filter; no MX is named."""
    one = item(
        21,
        domain="shop.example",
        mx=None,
        result_type="sts-policy-fetch-error",
        severity="warning",
        evidence=(seen("Microsoft", failed=38, sessions=38),),
    )

    rendered = render(group(one), context())

    assert "Microsoft, 13 Oct: no policy for 38 of 38 sessions (100 %)." == head(rendered)[2]
    assert "So far Microsoft alone reports this." in rendered.text
    assert "https://mta-sts.shop.example/.well-known/mta-sts.txt" in rendered.text
    assert "MX_HOST" not in rendered.text
    assert "Cannot be mended today" not in rendered.text
    assert "WARNING shop.example: MTA-STS policy cannot be fetched [tlsrpt 21]" == rendered.subject


def test_two_reporters_are_no_filter_on_the_way():
    """The hint for a lone reporter is left out as soon as a second one sees it."""
    rows = (seen("Microsoft"), seen("Google"))
    one = item(mx=None, result_type="sts-policy-fetch-error", evidence=rows)

    text = text_of(one)

    assert "alone reports" not in text
    assert "Google sees it too." in text.replace("\n", " ")


def test_the_figure_is_one_reporters_newest_day():
    """Shares are never pooled, and an old bad day does not stand for the newest."""
    rows = (
        seen("Mail.ru", failed=2, sessions=4),
        seen("Google", failed=10, sessions=1000),
        seen("Yahoo", failed=1, sessions=4),
        seen("Google", "2026-10-01", failed=900, sessions=1000),
    )

    assert (
        "Google, 13 Oct: 10 of 1,000 sessions failed (1 %). Mail.ru and Yahoo see it too."
        == " ".join(head(render(group(item(mode="testing", evidence=rows)), context()))[2:])
    )


def test_sessions_are_not_added_across_policy_types():
    """A session may stand under MTA-STS and under DANE; the domain is counted once."""
    dane = item(18, policy_type="tlsa", mode=None)

    line = head(render(group(item(), dane), context()))[2]

    assert "Google, 13 Oct: 1,893 of 5,326 sessions failed (36 %)." == line


def test_a_stranger_does_not_write_the_headline():
    """Whoever signs a report may put any number into it: where Google sees it, Google is quoted."""
    rows = (
        seen(failed=35, sessions=3468),
        seen("bank.example", failed=9_000_000, sessions=9_003_433, is_strangers=True),
    )

    text = text_of(item(evidence=rows))

    assert "Google, 13 Oct: 35 of 3,468 sessions failed (1 %)." in text
    assert "bank.example sees it too" not in text


def test_without_windows_at_hand_the_incident_is_counted():
    """A failure whose reports are pruned still makes a mail."""
    rendered = render(group(item(evidence=(), clean_before=None)), context())

    assert "Since 13 Oct: 1,893 of 5,326 sessions failed (36 %)." in rendered.text
    assert "It began before 13 Oct 24:00Z" in rendered.text


def test_a_general_failure_goes_by_its_reason():
    """Microsoft's MX_HOSTS_MISMATCH names the trouble; the policy it holds is quoted."""
    row = seen(
        "Microsoft",
        reasons=(("MX_HOSTS_MISMATCH", "mx-not-in-policy"),),
        policy_string=("version: STSv1", "mx: mail.old.example"),
        sending_ips=(("203.0.113.7", 12),),
    )
    one = item(mx=None, result_type="validation-failure", evidence=(row,))

    rendered = render(group(one), context())

    assert "CRITICAL example.com: MX not in the policy [tlsrpt 17]" == rendered.subject
    assert "The MX that senders find is not in their copy of the policy" in rendered.text
    assert 'Microsoft says: "MX_HOSTS_MISMATCH"' in rendered.text
    assert 'Policy quoted: "version: STSv1; mx: mail.old.example"' in rendered.text
    assert "grep -F 203.0.113.7 /var/log/mail.log" in rendered.text
    assert "MX_HOST stands for each host of: dig +short MX example.com" in rendered.text


def test_a_policy_that_no_report_quotes_is_not_quoted():
    """The reason alone is enough for the mail."""
    one = item(result_type="validation-failure", reasons=("mx-not-in-policy",))

    assert "Policy quoted" not in text_of(one)


def test_generic_reasons_name_nothing():
    """That it failed is no reason: the general words stay."""
    one = item(result_type="validation-failure", reasons=("generic", "no-such-class"))

    rendered = render(group(one), context())

    assert "TLS or policy check failed at mx1.example.com" in rendered.subject


def test_two_reasons_do_not_make_a_subject():
    """With more than one reason the subject says the result type, the mail says both."""
    one = item(result_type="validation-failure", reasons=("expired", "name-mismatch"))

    rendered = render(group(one), context())

    assert "TLS or policy check failed at" in rendered.subject
    assert "The time of the certificate is over." in rendered.text
    assert "The certificate does not bear the name of the MX host." in rendered.text


def test_an_unknown_result_type_is_quoted():
    """Nothing is made up: the name as it came, and the general check."""
    rendered = render(group(item(result_type="some-new-type")), context())

    assert 'unknown result type "some-new-type" at mx1.example.com' in rendered.subject
    assert 'Result type: "some-new-type"' in rendered.text


def test_a_second_line_of_two_halves_does_not_take_a_third():
    """One "and" a sentence: the policy has one of its own where the reason needed one already."""
    rendered = render(group(item(result_type="validation-failure")), context())

    assert 'and no reason is given. The MTA-STS policy says "enforce". Google, 13 Oct:' in " ".join(
        rendered.text.split()
    )


def test_failures_without_details_are_not_called_an_unknown_type():
    """The word "unspecified" is ours alone: the mail says that the report gives no reason."""
    rendered = render(group(item(result_type="unspecified", mx=None)), context())

    assert "CRITICAL example.com: TLS failed, no details given [tlsrpt 17]" == rendered.subject
    assert head(rendered)[1].startswith("The report does not say why, and the MTA-STS policy")
    assert "unknown" not in rendered.text
    assert "unspecified" not in rendered.text


def test_an_unknown_mode_shows_what_each_would_do():
    """Without a mode in the report, both effects are told."""
    text = text_of(item(mode=None))

    assert "MTA-STS enforce: " in text
    assert "MTA-STS testing: " in text


def test_worth_knowing_comes_along():
    """STARTTLS missing at one reporter alone may be an attack, and the mail says so."""
    text = text_of(item(result_type="starttls-not-supported"))

    assert "Worth knowing: If one reporter alone sees this" in text


# ----------------------------------------------------------------- merged, joined


def test_one_cause_on_many_domains_is_one_mail():
    """Twelve domains behind one MX: how many are refused, one cause, one figure, a table."""
    rendered = render(group(*tenants()), context())

    assert [
        f"Senders refuse mail for 4 domains at {MX}; 8 more are touched.",
        f"One cause: certificate expired on {MX}.",
        "Google, 13 Oct: 11,442 of 24,000 sessions to 12 domains failed (48 %).",
    ] == head(rendered)
    assert f"CRITICAL 12 domains: certificate expired on {MX} [tlsrpt 41]" == rendered.subject
    assert "  41  d41.example  enforce  refused     959     2,000  48 %" in rendered.text
    assert "give _mta-sts.DOMAIN a new id=" in rendered.text.replace("\n  ", " ")
    assert b"domains.csv" not in rendered.raw


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"mode": "testing"}, "Mail for 2 domains still arrives at mx1.example.com"),
        ({"mode": None}, "Mail for 2 domains may be refused at mx1.example.com"),
        (
            {"mx": None, "result_type": "sts-webpki-invalid"},
            "No mail is held up. But 2 domains have lost the protection of MTA-STS.",
        ),
        ({}, "Senders refuse mail for 2 domains at mx1.example.com."),
    ],
)
def test_a_merged_mail_says_first_whether_mail_is_held_up(more, line):
    """The first line for many domains weighs as carefully as for one."""
    items = [item(1, domain="a.example", **more), item(2, domain="b.example", **more)]

    assert head(render(group(*items), context()))[0].startswith(line)


def test_a_domain_counts_by_its_worst_failure():
    """A domain refused under DANE and only tested under MTA-STS is refused."""
    items = [
        item(1, domain="a.example", policy_type="tlsa", mode=None),
        item(2, domain="a.example", mode="testing", severity="warning"),
        item(3, domain="b.example", mode="testing", severity="warning"),
    ]

    first = head(render(group(*items), context()))[0]

    assert "Senders refuse mail for 1 domain at mx1.example.com; 1 more is touched." == first


def test_a_long_list_is_attached():
    """From thirty domains on the worst twenty are named, and all of them are in a CSV."""
    rendered = render(group(*tenants(35)), context())

    rows = list(csv.reader(io.StringIO(attachment(rendered))))

    assert "and 15 more: see the attached domains.csv" in rendered.text
    assert "d61.example" not in rendered.text
    assert 36 == len(rows)
    assert ["new", "75", "41", "d75.example", "sts", "testing"] == rows[35][:6]


def attachment(rendered):
    (part,) = parsed(rendered).iter_attachments()
    return part.get_content()


def test_a_cell_is_never_a_formula():
    """A spreadsheet that opens the attachment runs nothing that a report says."""
    items = [item(n, domain="=cmd|'/c calc'!A1", mx="@SUM(1)") for n in range(40)]

    rows = list(csv.reader(io.StringIO(attachment(render(group(*items), context())))))

    assert "'=cmd|'/c calc'!A1" == rows[1][3]
    assert "'@SUM(1)" == rows[1][7]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_joiners_are_told_as_such():
    """How many more, how many in all, since when, and whose mail is refused now."""
    new = tenants(9, refused=2, start=60)
    rendered = render(group(*new, kind="joined", others=left(*tenants())), context())

    assert [
        "9 more domains report the failure you were told of on 13 Oct; 21 in all.",
        f"Same cause, same mend: certificate expired on {MX}.",
        "New among them with mail refused: d60.example and d61.example.",
    ] == head(rendered)[:3]
    assert f"CRITICAL +9 domains: certificate expired on {MX} [tlsrpt 41]" == rendered.subject


def test_one_joiner_without_refused_mail():
    """The grammar of one, and no alarm where mail arrives."""
    (new,) = tenants(1, refused=0, start=60)
    lines = head(render(group(new, kind="joined", others=left(*tenants())), context()))

    assert lines[0].startswith("1 more domain reports the failure")
    assert "For none of the new ones mail is known to be refused." == lines[2]


def test_a_joiner_on_a_domain_that_was_told_is_no_new_domain():
    """Reports that name the MX only on the second day do not make "1 more domain" of the same."""
    before = item(17, result_type="validation-failure", mx=None)
    new = item(18, result_type="validation-failure")
    rendered = render(group(new, kind="joined", others=left(before)), context())

    assert [
        "More of the failure you were told of on 13 Oct, on the same domain.",
        "Same cause, same mend: TLS or policy check failed at mx1.example.com.",
        "Senders refuse to deliver mail for example.com to mx1.example.com.",
    ] == head(rendered)[:3]
    assert rendered.subject.startswith("CRITICAL example.com: TLS or policy check failed")


def test_joiners_on_old_and_new_domains_count_the_new_ones():
    """A domain that was told already is not counted as one more."""
    news = [item(18, policy_type="tlsa"), item(19, domain="example.net", mode="testing")]
    rendered = render(group(*news, kind="joined", others=left(item())), context())

    assert "1 more domain reports the failure" in head(rendered)[0]
    assert "For none of the new ones mail is known to be refused." == head(rendered)[2]
    assert rendered.subject.startswith("CRITICAL +1 domain: ")


# -------------------------------------------------------- resolved, regressed


def resolved(*items, others=(), **more):
    rows = tuple(Transition(one, "resolved", 2, told(one.failure)) for one in items)
    return group(*items, kind="resolved", transitions=rows, others=others, **more)


def test_it_is_over():
    """First that it is, then since when and how we know; nothing to do."""
    rendered = render(resolved(over()), context(now=at("2026-10-18T21:03")))

    assert [
        "It is over for example.com: nobody reports it any more.",
        "Certificate expired on mx1.example.com: last seen on 13 Oct.",
        "Nothing to do.",
    ] == head(rendered)
    assert (
        "RESOLVED example.com: certificate expired on mx1.example.com [tlsrpt 17]"
        == rendered.subject
    )
    assert re.search(r"Google +15 Oct +5,201 +0  16 Oct 11:40Z", rendered.text)
    assert re.search("over +since 16 Oct 24:00Z", rendered.text)
    assert re.search("told +14 Oct 11:43Z", rendered.text)
    assert "REGRESSED in this thread" in rendered.text


def test_it_is_over_with_little_at_hand():
    """Pruned reports and an end that is not known make a shorter mail, not a broken one."""
    bare = over(evidence=(), resolved_at=None)

    text = render(group(bare, kind="resolved", event="resolved"), context()).text

    assert re.search("over +since 13 Oct 24:00Z", text)
    assert "told  " not in text


def test_a_merged_cause_ends_in_one_mail():
    """All domains, what failed and when; from thirty on with an attachment."""
    some = [over(n, domain=f"d{n}.example") for n in range(1, 4)]
    many = [over(n, domain=f"d{n}.example") for n in range(1, 41)]
    now = context(now=at("2026-10-18T21:03"))

    assert "It is over for 3 domains: nobody" in render(resolved(*some), now).text
    assert "and 20 more: see the attached domains.csv" in render(resolved(*many), now).text


def test_partly_over_names_what_is_left():
    """Nine of twelve, the three that are left, and that nothing comes until they are over."""
    items = tenants()
    done = [over(one.failure, domain=one.domain, cause=41, mx=MX) for one in items[:9]]
    rendered = render(resolved(*done, others=left(*items[9:])), context())

    assert [
        "Over for 9 of 12 domains; 3 still fail.",
        f"Certificate expired on {MX}.",
        "Still failing: d50.example, d51.example and d52.example.",
        "None of 3 failures is known to hold up mail.",
    ] == head(rendered)
    assert rendered.subject.startswith("PARTLY RESOLVED 9 of 12 domains: ")
    assert "STILL FAILING" in rendered.text
    assert "You hear no more of it until the rest is over too." in rendered.text


def test_one_left_still_fails():
    """The grammar of one."""
    items = tenants(2)
    rendered = render(resolved(over(41), others=left(items[1])), context())

    assert "1 still fails." in head(rendered)[0]


def test_a_domain_that_is_partly_over_is_counted_by_failures():
    """Where DANE is mended and MTA-STS is not, "1 of 1 domain" would be nonsense."""
    rendered = render(
        resolved(over(41, policy_type="tlsa"), others=left(item(42))),
        context(now=at("2026-10-18T21:03")),
    )

    assert "Over for 1 of 2 failures; 1 still fails." == head(rendered)[0]
    assert rendered.subject.startswith("PARTLY RESOLVED 1 of 2 failures: ")


def previous(**more):
    made = Previous(
        incident=1,
        severity="critical",
        first_seen=at("2026-10-13"),
        last_seen=at("2026-10-15"),
        first_received=at("2026-10-14T11:42"),
        resolved_at=at("2026-10-17"),
        failed_sessions=3514,
        sessions=12117,
    )
    return msgspec.structs.replace(made, **more)


def test_an_end_that_not_everybody_confirms_does_not_claim_that_nobody_sees_it():
    """What strangers go on reporting is named, with the command that shows who they are."""
    rendered = render(
        resolved(over(previous=previous(), evidence=())), context(now=at("2026-10-18T21:03"))
    )

    assert [
        "What you were told of is over for example.com.",
        "Certificate expired on mx1.example.com: last seen on 13 Oct by those whose",
        "word counts.",
        "Nothing to do. Something like it is still seen, too little for an alert.",
    ] == head(rendered)
    assert "nobody reports it" not in rendered.text
    assert "STILL SEEN, BUT NO ALERT" in rendered.text
    assert "\n    tlsrpt-mailer failures show 17 --why\n" in rendered.text


def relapse(before, **more):
    one = item(
        incident=2,
        **more,
        first_seen=at("2027-01-12"),
        first_failing_end=at("2027-01-13"),
        last_seen=at("2027-01-13"),
        evidence=(seen(day="2027-01-12", failed=2104, sessions=5518, received="2027-01-13T11:42"),),
    )
    rows = (Transition(one, "regressed", 3, before),)
    return render(
        group(one, kind="regressed", transitions=rows), context(now=at("2027-01-13T11:43"))
    )


def test_it_is_back():
    """That it is back, since when it was over, and what a return mostly means."""
    rendered = relapse(
        told(event="resolved", at=at("2026-10-18T21:03"), resolved_at=at("2026-10-17"))
    )

    assert [
        "It is back: senders refuse to deliver mail for example.com to mx1.example.com.",
        'Its certificate has expired, and the MTA-STS policy says "enforce".',
        "Google, 12 Jan: 2,104 of 5,518 sessions failed (38 %).",
        "It was over since 17 Oct 2026, as you were told on 18 Oct 2026.",
    ] == head(rendered)[:4]
    assert rendered.subject.startswith("REGRESSED example.com: certificate expired")
    assert "back after 87 days of quiet" in rendered.text
    assert "the reload after it does not" in rendered.text.replace("\n  ", " ")


def test_it_is_back_before_anybody_was_told_that_it_was_over():
    """The mail does not refer to good news that never went out."""
    rendered = relapse(told(at=at("2026-10-18")))

    assert "It was over in between, for too short a time to tell you." in rendered.text
    assert "after clean days" in rendered.text


def test_back_after_a_silence_is_not_called_over():
    """A failure that was closed unconfirmed was never over: the mail must not say so."""
    rendered = relapse(told(at=at("2026-10-18")), previous=previous(resolved_at=None))

    assert (
        "Nobody confirmed that it was over: it was last seen on 14 Oct 2026, then not heard of."
        == " ".join(head(rendered)[3:5])
    )
    assert "In between nobody reported on it at all." in rendered.text
    assert "clean days" not in rendered.text


def test_back_after_an_end_that_was_not_told_says_when_it_was_over():
    """The end is known even where the good news was overtaken by the bad."""
    rendered = relapse(told(at=at("2026-10-18")), previous=previous())

    assert "It was over since 17 Oct 2026; before you could be told, it was back." in rendered.text


def test_a_relapse_that_holds_up_no_mail_begins_so():
    """The first line keeps its own beginning, and a type without a usual reason says none."""
    one = item(result_type="sts-policy-fetch-error", mx=None, incident=2)
    rows = (Transition(one, "regressed", 2, None),)

    rendered = render(group(one, kind="regressed", transitions=rows), context())

    assert head(rendered)[0].startswith("It is back. No mail is held up.")
    assert "LAST TIME" not in rendered.text


# ---------------------------------------------------------- summary, flood, test


def open_ends(count):
    return [
        item(n, cause=n, domain=f"d{n}.example", mx=f"mx{n}.example", failed=1000 - n)
        for n in range(1, count + 1)
    ]


def test_an_old_mailbox_is_summed_up():
    """How many are open and hold up mail; a list; each explained with its command and mend."""
    fetch = item(99, cause=99, mx=None, result_type="sts-policy-fetch-error", severity="warning")
    rendered = render(group(*open_ends(6), fetch, kind="summary"), context())

    assert [
        "Senders refuse mail because of 6 of 7 failures.",
        "7 failures of 7 causes on 7 domains are open.",
    ] == head(rendered)[:2]
    assert "tlsrpt-mailer has read old reports: 7 failures open [tlsrpt]" == rendered.subject
    assert "-connect mx6.example:25" in rendered.text
    assert "https://mta-sts.example.com/.well-known/mta-sts.txt" in rendered.text


def test_a_summary_that_holds_up_no_mail_says_so():
    """Nobody gets up for what only tests."""
    items = [item(n, cause=n, mode="testing", severity="warning") for n in range(6)]

    assert (
        "None of 6 failures is known to hold up mail."
        in render(group(*items, kind="summary"), context()).text
    )


def test_a_summary_does_not_claim_refusals_that_nobody_reports_any_more():
    """Failures of months ago that went stale are listed, but not as mail that is refused now."""
    items = open_ends(6)
    stale = [msgspec.structs.replace(one, state="stale") for one in items[:4]]

    mail = render(group(*stale, *items[4:], kind="summary"), context())
    text = " ".join(mail.text.split())

    assert (
        "Senders refuse mail because of 2 of 6 failures. Nobody reports on 4 of them any more."
        in text
    )
    assert 4 == text.count("whoever saw it reports no more")


def test_a_summary_tells_each_mend_once():
    """Six certificates that expired need one instruction and six commands."""
    text = render(group(*open_ends(6), kind="summary"), context()).text

    assert 6 == text.count("-brief </dev/null")
    assert 1 == text.count("deploy hook")
    assert 5 == text.count("To mend it: as under ")


def test_a_long_summary_explains_the_worst():
    """Ten causes are explained, fifty listed, the rest counted, with the words to look them up."""
    rendered = render(group(*open_ends(60), kind="summary"), context())

    assert "-connect mx10.example:25" in rendered.text
    assert "-connect mx11.example:25" not in rendered.text
    assert "50 more causes: tlsrpt-mailer failures show NUMBER" in rendered.text
    assert "tlsrpt-mailer explain certificate-expired" in rendered.text
    assert "and 10 more causes: tlsrpt-mailer failures" in rendered.text
    assert 61 == len(attachment(rendered).splitlines())


def test_a_flood_tells_the_rest_by_cause():
    """The limit, what was held back by cause, and that nothing is lost."""
    back = item(50, cause=50)
    rows = (
        *(Transition(one, "new", 1) for one in tenants(3)),
        Transition(back, "regressed", 2, told(50)),
        Transition(over(60, cause=60), "resolved", 2, told(60)),
    )
    rendered = render(group(*tenants(1), kind="flood", transitions=rows), context())

    assert (
        "20 alerts went to you since 11:00Z: that is the limit. This is the rest." in rendered.text
    )
    assert "5 more alerts held back this hour: 3 causes, 4 domains [tlsrpt]" == rendered.subject
    assert "d41.example, d42.example and d43.example" in rendered.text
    assert "back: certificate expired on mx1.example.com" in rendered.text
    assert "    60  OVER      certificate expired" in rendered.text


def test_the_test_alert_says_that_nothing_is_broken():
    """It proves the way to the recipient without frightening anybody."""
    rendered = render_test(context())

    assert "This is a test: nothing is broken." == head(rendered)[0]
    assert ["event=test"] == parsed(rendered).get_all("X-TLSRPT-Mailer")
    assert rendered.message_id.startswith("<tlsrpt.test.")


# ------------------------------------------------------------------------ headers


def test_a_subject_of_one_long_word_begins_on_its_line():
    """A domain as wide as a line is not pushed below an empty first line of the header."""
    rendered = render(group(item(domain=f"{'a' * 60}.{'b' * 60}.example")), context())

    assert rendered.subject == parsed(rendered)["Subject"]
    assert b"Subject:\r\n" not in rendered.raw


def test_a_subject_of_one_quoted_word_begins_on_its_line():
    """Nor is a name that is none, where the state is no word in front of it."""
    hostile = item(domain="\x1b" * 40, mx=None, result_type="sts-policy-invalid")
    rendered = render(group(hostile), context(subject="thread"))

    assert rendered.subject == parsed(rendered)["Subject"]
    assert b"Subject:\r\n" not in rendered.raw


def test_the_headers_are_for_threads_and_filters():
    """Who, when, what kind of mail, and every fact that a filter may want."""
    rendered = render(group(item(), references=("<a@b>", "<c@d>")), context(tls_required_no=True))
    message = parsed(rendered)

    assert "TLS reports <tlsrpt-mailer@mail.example.com>" == message["From"]
    assert ME == message["To"]
    assert "Wed, 14 Oct 2026 11:43:00 +0000" == message["Date"]
    assert re.fullmatch(
        r"<tlsrpt\.17\.new\.1\.[0-9a-f]{16}@mail\.example\.com>", message["Message-ID"]
    )
    assert rendered.message_id == message["Message-ID"]
    assert "<a@b> <c@d>" == message["References"]
    assert "auto-generated" == message["Auto-Submitted"]
    assert "TLS reports <tlsrpt-mailer.mail.example.com>" == message["List-Id"]
    assert "No" == message["TLS-Required"]
    (fact,) = message.get_all("X-TLSRPT-Mailer")
    assert (
        "event=new; failure=17; domain=example.com; result=certificate-expired;"
        " mx=mx1.example.com; severity=critical"
    ) == fact


def test_what_the_caller_switches_off_is_left_out():
    """No Auto-Submitted for ticket systems that discard it, no TLS-Required where it is not due."""
    message = parsed(
        render(
            group(item()),
            context(auto_submitted=False, sender="Ana <ana@example.com>", list_id="x.y"),
        )
    )

    assert message["Auto-Submitted"] is None
    assert message["TLS-Required"] is None
    assert message["References"] is None
    assert "Ana <ana@example.com>" == message["From"]
    assert "TLS reports <x.y>" == message["List-Id"]


def test_a_fact_a_transition_a_hundred_at_most():
    """A mail about 250 domains has 100 facts and says how many more there are."""
    facts = parsed(render(group(*tenants(250)), context())).get_all("X-TLSRPT-Mailer")

    assert 101 == len(facts)
    assert "event=more; count=150" == facts[100]


def test_the_same_news_is_the_same_mail():
    """A repeat can be recognised, byte for byte; other news and other people are another mail."""
    first = render(group(*tenants(35)), context())

    assert first == render(group(*tenants(35)), context())
    assert first.message_id != render(group(*tenants(34)), context()).message_id
    other = group(*tenants(35), recipient="ana@example.com")
    assert first.message_id != render(other, context()).message_id


def test_plain_text_comes_first_and_html_says_the_same():
    """Both parts, and every word of the text in the same order in the HTML."""
    message = parsed(render(group(item()), context()))
    plain, html = (part.get_content() for part in message.iter_parts())
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    words = (
        words.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", '"').replace("&#39;", "'")
    )
    found = iter(words.split())

    assert "multipart/alternative" == message.get_content_type()
    assert [] == [
        word for word in plain.split() if not re.fullmatch(r"\d\.|--", word) and word not in found
    ]


def test_the_footer_says_who_else_got_it():
    """Two people do not start mending without knowing of each other."""
    assert "Also told: ana@example.com." in text_of(item(), also_told=("ana@example.com",))
    assert "Nobody else got it." in text_of(item())


def test_the_first_seen_day_is_not_lost():
    """The examples tell one story: the bad day is 13 Oct."""
    assert BAD_DAY == item().first_seen
