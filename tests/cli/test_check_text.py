"""What `check` prints of many domains, whose MX hosts are mostly the same."""

from tlsrpt_mailer.cli import check_text
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.inventory import Summary
from tlsrpt_mailer.domains.seen import Answer, Seen
from tlsrpt_mailer.ports import Look

NONE, MX = Answer("absent"), Answer("found", ("10 mx1.alpha.example",))
HOST = "mx1.alpha.example"
EXPIRED = Finding(code="mx-certificate-expired", weight="critical", mx=HOST)
NO_RECORD = Finding(code="tlsrpt-missing", weight="gap")
HOSTS_RECORD = Finding(code="tlsrpt-missing", weight="gap", mx=HOST)
UNCOVERED = Finding(code="mta-sts-uncovered-mx", weight="warning", mx=HOST)
NOTE = Finding(code="mta-sts-missing", weight="note")


def look(domain: str, *findings: Finding, is_host: bool = False, mx: Answer = MX) -> Look:
    seen = Seen(domain=domain, at=0, mx=mx, ns=NONE, record=NONE, sts=NONE)
    return Look(
        seen=seen,
        is_host=is_host,
        findings=findings,
        known=(),
        spells=(),
        summary=Summary(),
        next_at=0,
    )


def said(*looks: Look, notes: bool = False) -> str:
    """With as many that are well that all is told in short, on one line."""
    well = [look(f"well{at}.example") for at in range(11)]
    return " ".join(" ".join(check_text.lines([*well, *looks], notes=notes)).split())


def test_what_is_wrong_at_an_mx_host_is_told_of_the_host() -> None:
    """One expired certificate behind three domains is one host to mend, not three domains."""
    domains = [f"{name}.example" for name in ("bravo", "delta", "echo")]

    out = said(*(look(domain, EXPIRED) for domain in domains))

    assert "CRITICAL 1 certificate expired: mx1.alpha.example (MX of 3 domains) mend:" in out
    assert "bravo" not in out


def test_a_domain_that_is_right_is_not_named_for_its_mx_host() -> None:
    """The host is, once, though it is looked at as a host as well; the one domain is told."""
    out = said(look("alpha.example", HOSTS_RECORD), look(HOST, NO_RECORD, is_host=True))

    assert "12 domains and 1 MX host with TLSA records: 11 well, 2 with something to mend" in out
    assert "gap 1 no TLSRPT record: mx1.alpha.example (MX of alpha.example) mend:" in out
    assert "gap 1 no TLSRPT record: mx1.alpha.example mend:" in said(
        look(HOST, NO_RECORD, is_host=True)
    )


def test_what_our_name_servers_did_not_tell_is_not_called_well() -> None:
    """They went silent in the middle of a round: nothing was found, since nothing was seen."""
    dark = look("alpha.example", mx=Answer("trouble", is_ours=True))

    assert "well" not in "".join(check_text.lines([dark], notes=False))
    assert "  not looked up in full: our name servers do not answer" in check_text.lines(
        [dark], notes=False
    )
    assert "  nothing to mend" in check_text.lines([look("b.example")], notes=False)


def test_what_is_mended_at_the_domain_is_told_of_the_domain() -> None:
    """The policy that leaves an MX out is the domain's."""
    out = said(look("alpha.example", UNCOVERED))

    assert "warning 1 MX not in the MTA-STS policy: alpha.example" in out.replace(
        "WARNING", "warning"
    )


def test_notes_of_many_domains_stand_there_on_demand() -> None:
    """With --notes they are listed behind what is to be mended; they make no domain a bad one."""
    assert "no MTA-STS" not in said(look("alpha.example", NOTE))
    assert "12 domains: 12 well, 0 with something to mend note 1 no MTA-STS: alpha.example" in said(
        look("alpha.example", NOTE), notes=True
    )


def test_a_name_without_anything_is_nowhere() -> None:
    """One record of any kind, or a question without an answer, and nobody says that it is not."""
    assert check_text.is_nowhere(look("x.example", mx=NONE))
    assert not check_text.is_nowhere(look("x.example"))
    assert not check_text.is_nowhere(look("x.example", mx=Answer("trouble")))
    assert not check_text.is_nowhere(look("x.example", mx=NONE, is_host=True))
