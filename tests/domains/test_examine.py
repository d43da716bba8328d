"""What is found wrong with a domain's TLSRPT record, and what holds for all that is found."""

import pytest

from tests.domains import sights
from tests.domains.records import RIGHT
from tests.domains.sights import (
    ABSENT,
    BOGUS,
    DEAD,
    DOMAIN,
    MX1,
    NOW,
    RUA,
    answer,
    codes,
    earlier,
    findings,
    found,
    host,
    remembered,
    seen,
)
from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.examine import examine
from tlsrpt_mailer.domains.seen import Answer
from tlsrpt_mailer.report.times import DAY, iso

FOREIGN = "v=TLSRPTv1; rua=mailto:x@vendor.example"
BROKEN = f"v=TSLRPTv1; rua={RUA}"
TWO = (RIGHT, "v=TLSRPTv1; rua=mailto:b@two.example")
YESTERDAY = iso(NOW - DAY)


def test_a_domain_that_is_right_is_left_alone():
    """Who has done everything hears nothing."""
    assert [] == findings(seen())
    assert [] == findings(seen(), earlier(seen()))


# ----------------------------------------------------------------- the stories


def test_a_record_that_goes_and_comes_back():
    """Right, gone, back: told while it is gone, with the day of the last look that found it."""
    gone = earlier(seen(record=ABSENT))
    before = (earlier(seen(), 3), earlier(seen(), 2))
    finding = found("tlsrpt-gone", gone, *before)

    assert "warning" == finding.weight
    assert iso(NOW - 2 * DAY) == finding.facts["seen_right_until"]
    assert RIGHT == finding.facts["record"]
    assert f'_smtp._tls.{DOMAIN}. IN TXT "{RIGHT}"' == finding.facts["line"]
    assert [] == codes(seen(), *before, gone)


def test_it_makes_no_difference_whether_the_look_is_remembered_already():
    """Findings can be computed before or after the look is stored."""
    gone = seen(record=ABSENT, sts=ABSENT, page=None)
    known = remembered(earlier(seen()))

    assert examine(gone, sights.expected(), known) == examine(
        gone, sights.expected(), remembered(earlier(seen()), gone)
    )


def test_a_record_that_never_was_is_a_gap():
    """A domain without TLS reporting is counted, and mailed to nobody, however often it is seen."""
    bare = seen(record=ABSENT)
    finding = found("tlsrpt-missing", bare, earlier(bare))

    assert "gap" == finding.weight
    assert RIGHT == finding.facts["record"]
    assert "stands" not in finding.facts


def test_what_stands_there_in_its_place_is_quoted():
    """An SPF record at that name, mostly by a wildcard, is named: the admin looks for the cause."""
    spf = seen(record=answer("v=spf1 -all"))

    assert "v=spf1 -all" == found("tlsrpt-missing", spf).facts["stands"]
    assert "v=spf1 -all" == found("tlsrpt-gone", spf, earlier(seen())).facts["stands"]


def test_a_domain_that_takes_no_mail_has_no_gap():
    """Parked domains do not fill the list of what is to be done."""
    null = seen(record=ABSENT, mx=answer("0 ."), hosts=())
    nothing = seen(record=ABSENT, mx=ABSENT, hosts=(host(DOMAIN, addresses=ABSENT),))
    by_address = seen(record=ABSENT, mx=ABSENT, hosts=(host(DOMAIN),))

    assert "note" == found("tlsrpt-missing", null).weight
    assert "note" == found("tlsrpt-missing", nothing).weight
    assert "gap" == found("tlsrpt-missing", by_address).weight
    assert "gap" == found("tlsrpt-missing", seen(record=ABSENT, mx=DEAD, hosts=())).weight


def test_the_record_of_an_mx_host_of_others_is_theirs_to_publish():
    """What no inventory counts as a gap is none to `check` either; once it led here it is ours."""
    bare = seen(record=ABSENT, mx=ABSENT, hosts=())

    assert "gap" == found("tlsrpt-missing", bare, is_mx_only=True).weight
    assert "note" == found("tlsrpt-missing", bare, is_mx_only=True, is_others=True).weight
    gone = found("tlsrpt-gone", bare, earlier(seen()), is_mx_only=True, is_others=True)
    assert "warning" == gone.weight


def test_a_domain_that_was_parked_needs_its_record_no_more():
    """Who publishes the null MX and takes the record out did what was right; without an MX of any
    kind the record went with the rest of the zone."""
    null = seen(record=ABSENT, mx=answer("0 ."), hosts=())
    bare = seen(record=ABSENT, mx=ABSENT, hosts=(host(DOMAIN, addresses=ABSENT),))

    assert "note" == found("tlsrpt-missing", null, earlier(seen())).weight
    assert "warning" == found("tlsrpt-gone", bare, earlier(seen())).weight


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("tlsrpt-invalid", (BROKEN,)),
        ("tlsrpt-several", TWO),
        ("tlsrpt-elsewhere", (FOREIGN,)),
    ],
)
def test_what_was_right_and_is_not_any_more_is_told(code: str, texts: tuple[str, ...]):
    """The day after a change it is a warning; of what was never right the digest is enough."""
    look = seen(record=answer(*texts))
    after = found(code, look, earlier(seen()))

    assert "notice" == found(code, look).weight
    assert "seen_right_until" not in found(code, look).facts
    assert ("warning", YESTERDAY) == (after.weight, after.facts["seen_right_until"])


def test_a_foreign_address_is_named():
    """The admin sees who gets the reports of his domain."""
    finding = found("tlsrpt-elsewhere", seen(record=answer(FOREIGN)))
    many = found(
        "tlsrpt-elsewhere",
        seen(record=answer("v=TLSRPTv1; rua=https://v.example/,mailto:x@vendor.example")),
    )

    assert "x@vendor.example" == finding.facts["foreign"]
    assert f"{FOREIGN},{RUA}" == finding.facts["record"]
    assert "more" not in finding.facts
    assert ("x@vendor.example", "1") == (many.facts["foreign"], many.facts["more"])


def test_without_an_address_of_ours_nobody_can_say_where_reports_should_go():
    """A first installation does not call every record foreign; what was there was right."""
    look = seen(record=answer(FOREIGN))

    assert [] == codes(look, rua=())
    gone = found("tlsrpt-gone", seen(record=ABSENT), earlier(look), rua=())
    assert FOREIGN == gone.facts["record"]
    missing = found("tlsrpt-missing", seen(record=ABSENT), rua=())
    assert {"name": f"_smtp._tls.{DOMAIN}"} == missing.facts


@pytest.mark.parametrize(
    ("record", "code"),
    [(answer(FOREIGN, alias="r.vendor.example"), "tlsrpt-elsewhere"),
     (Answer("absent", alias="r.vendor.example"), "tlsrpt-missing")],
)  # fmt: skip
def test_where_a_cname_stands_the_mend_knows_it(record, code):
    """No zone takes a TXT record beside it."""
    facts = found(code, seen(record=record)).facts

    assert (f"_smtp._tls.{DOMAIN}", "r.vendor.example") == (facts["cname"], facts["cname_to"])
    assert "cname" not in found("tlsrpt-missing", seen(record=ABSENT)).facts


def test_what_our_own_name_servers_do_not_answer_is_no_fault_of_a_domain():
    """Else each of ten thousand domains had three findings, with the wrong mend."""
    dark = Answer("trouble", error="no name server answers", is_ours=True)

    assert [] == codes(seen(record=dark, mx=dark, sts=dark, hosts=(), page=None), earlier(seen()))
    assert [] == codes(seen(hosts=(host(addresses=dark, tlsa=dark),)))
    assert ["mx-trouble"] == codes(seen(mx=DEAD, hosts=()))


def test_any_address_of_ours_will_do():
    """What the sources take in counts beside checks.rua."""
    look = seen(record=answer(FOREIGN))

    assert [] == codes(look, addresses=Addresses(["@vendor.example"]))


def test_a_record_that_led_to_others_was_not_ours():
    """That a vendor's record is gone is a gap of ours, and no loss."""
    look = seen(record=ABSENT)

    assert "gap" == found("tlsrpt-missing", look, earlier(seen(record=answer(FOREIGN)))).weight


def test_a_record_at_a_wrong_name_is_found():
    """The admin learns where he put it, and what to publish where."""
    elsewhere = ((f"_tls.{DOMAIN}", FOREIGN), (DOMAIN, "v=spf1 -all"))
    look = seen(record=ABSENT, elsewhere=elsewhere)
    finding = found("tlsrpt-misplaced", look)

    assert ["tlsrpt-misplaced"] == codes(look)
    assert "notice" == finding.weight
    assert (f"_tls.{DOMAIN}", FOREIGN) == (finding.facts["wrong_name"], finding.facts["seen"])
    assert f"{FOREIGN},{RUA}" == finding.facts["record"]
    assert "warning" == found("tlsrpt-misplaced", look, earlier(seen())).weight
    assert "gap" == found("tlsrpt-missing", seen(record=ABSENT, elsewhere=elsewhere[1:])).weight


def test_the_broken_text_is_quoted_and_not_one_beside_it():
    """Of several TXT records at the name the one that was meant is shown."""
    look = seen(record=answer("a=site-verification", "v=DMARC1; p=none"))
    near = seen(record=answer("a=site-verification", BROKEN))

    assert "v=DMARC1; p=none" == found("tlsrpt-invalid", look).facts["seen"]
    assert BROKEN == found("tlsrpt-invalid", near).facts["seen"]
    assert (
        " | ".join(sorted(TWO)) == found("tlsrpt-several", seen(record=answer(*TWO))).facts["seen"]
    )
    assert "2" == found("tlsrpt-several", seen(record=answer(*TWO))).facts["count"]


def test_a_name_server_without_an_answer_is_no_gone_record():
    """Trouble of DNS is told as that, and what was known stays."""
    finding = found("tlsrpt-trouble", seen(record=DEAD), earlier(seen()))
    bogus = found("tlsrpt-trouble", seen(record=BOGUS))

    assert ["tlsrpt-trouble"] == codes(seen(record=DEAD), earlier(seen()))
    assert ("notice", "timed out") == (finding.weight, finding.facts["error"])
    assert "form" not in finding.facts
    assert "bogus" == bogus.facts["form"]


# -------------------------------------------------------------- the rua's host


@pytest.mark.parametrize("there", [ABSENT, answer("0 .")])
def test_an_address_that_takes_no_mail_is_told(there):
    """Reports that bounce are missed by nobody otherwise."""
    theirs = f"v=TLSRPTv1; rua={RUA},mailto:x@vendor.example"
    hosts = (("example.com", answer("10 mx.example.com")), ("vendor.example", there))
    finding = found("tlsrpt-rua-unreachable", seen(record=answer(theirs), rua_hosts=hosts))
    ours = found("tlsrpt-rua-unreachable", seen(rua_hosts=(("example.com", there),)))

    assert "notice" == finding.weight
    assert "x@vendor.example" == finding.facts["addresses"]
    assert "vendor.example" == finding.facts["rua_domain"]
    assert "warning" == ours.weight
    assert [] == codes(seen(rua_hosts=(("example.com", DEAD),)))
    assert [] == codes(seen(rua_hosts=(("other.example", there),)))


# ------------------------------------------------------------------- MX hosts


def test_an_mx_host_with_tlsa_needs_a_record_of_its_own():
    """DANE reports name the MX host, and senders look there (RFC 8460, 3)."""
    tlsa = {"tlsa": sights.signed(f"3 1 1 {sights.KEY}")}
    bare = sights.with_host(host(**tlsa, record=ABSENT))
    right = sights.with_host(host(**tlsa, record=answer(RIGHT)))
    finding = found("tlsrpt-missing", bare)

    assert ["tlsrpt-missing"] == codes(bare)
    assert (MX1, "gap") == (finding.mx, finding.weight)
    assert f'_smtp._tls.{MX1}. IN TXT "{RIGHT}"' == finding.facts["line"]
    assert [] == codes(right)
    gone = found("tlsrpt-gone", bare, earlier(right))
    assert (MX1, "warning", YESTERDAY) == (gone.mx, gone.weight, gone.facts["seen_right_until"])
    assert "notice" == found("tlsrpt-trouble", sights.with_host(host(**tlsa, record=DEAD))).weight


def test_other_peoples_mx_hosts_are_no_task_of_ours():
    """A customer of a provider is not told each week that the provider's reports go elsewhere."""
    tlsa = {"tlsa": sights.signed(f"3 1 1 {sights.KEY}")}
    theirs = sights.with_host(host("mx.provider.example", **tlsa, record=answer(FOREIGN)))
    google = sights.with_host(host("aspmx.l.google.com", **tlsa, record=answer(FOREIGN)))

    assert "note" == found("tlsrpt-elsewhere", theirs).weight
    assert [] == codes(google)
    ours = {"is_our_mx": "mx.provider.example aspmx.l.google.com".__contains__}
    assert "notice" == found("tlsrpt-elsewhere", theirs, **ours).weight
    assert "notice" == found("tlsrpt-elsewhere", google, **ours).weight
    was_ours = sights.with_host(host("mx.provider.example", **tlsa, record=answer(RIGHT)))
    assert "warning" == found("tlsrpt-elsewhere", theirs, earlier(was_ours)).weight


def test_of_a_name_that_is_but_an_mx_host_only_the_record_counts():
    """An MX host needs no MX record and no policy of its own."""
    look = seen(domain=MX1, mx=ABSENT, sts=ABSENT, page=None, record=ABSENT, hosts=(host(MX1),))

    assert ["tlsrpt-missing"] == codes(look, is_mx_only=True)
    assert "gap" == found("tlsrpt-missing", look, is_mx_only=True).weight
    assert "form" not in found("tlsrpt-missing", look, is_mx_only=True).facts


def test_a_domain_that_is_its_own_mx_has_one_record():
    """Nothing is told twice."""
    look = seen(
        mx=ABSENT,
        record=ABSENT,
        hosts=(host(DOMAIN, tlsa=sights.signed(f"3 1 1 {sights.KEY}"), record=ABSENT),),
    )

    assert 1 == codes(look).count("tlsrpt-missing")


# ------------------------------------------------------------------------- all


def test_the_worst_comes_first():
    """Who reads the first line knows whether to get up; the order never changes by itself."""
    look = sights.with_host(
        host(MX1, addresses=ABSENT),
        host(sights.MX2, shown=(sights.shown(names_fit=False),)),
        host("a.example", shown=(sights.shown(names_fit=False),)),
        record=ABSENT,
        page=sights.policy("enforce"),
    )
    order = [(one.weight, one.code, one.mx) for one in findings(look)]

    assert [
        ("critical", "mta-sts-uncovered-mx", "a.example"),
        ("critical", "mx-certificate-name", "a.example"),
        ("critical", "mx-certificate-name", sights.MX2),
        ("warning", "mx-no-address", MX1),
        ("gap", "tlsrpt-missing", None),
    ] == order
