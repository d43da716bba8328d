"""What a digest says once our own looks have seen the domains."""

from tests.alerts.digests import (
    ANA,
    FIRE,
    MONDAY,
    directory,
    domain,
    fetch,
    mail,
    material,
    page,
    pair,
)
from tlsrpt_mailer.alerts.digest_model import Domain, Looked
from tlsrpt_mailer.report.times import DAY

ROOT = "root@mail.example.com"

RIGHT = Looked(record="right", sts="enforce", dane="none", mx=("mx1.example.com",))


def looked(name: str = "example.com", **more: object) -> Domain:
    """A domain with reports that quote ``enforce``, and what looks found of it."""
    fields = {"record": "right", "sts": "enforce", "dane": "none"} | more
    one = domain(name)
    return Domain(one.name, one.days, one.pairs, Looked(**fields))  # type: ignore[arg-type]


def standing(text: str) -> list[str]:
    """The lines of HOW YOU STAND, each term on one."""
    part = text.partition("HOW YOU STAND")[2].partition("\n\n")[0]
    found: list[str] = []
    for line in part.splitlines():
        if line.startswith("   "):
            found[-1] += f" {line.strip()}"
        else:
            found.append(" ".join(line.split()))
    return [" ".join(line.split()) for line in found]


def owner_of(*domains: Domain, **more: object) -> str:
    """The page of an owner of them all, with something open so that it is no quiet week."""
    return mail(
        material(domains, [fetch()], **more), ANA, directory({ANA: [one.name for one in domains]})
    ).text


def test_how_many_records_are_right_and_which_are_not() -> None:
    """The names of those that need a hand."""
    text = owner_of(
        looked(),
        looked("bad.example", record="broken"),
        looked("gone.example", record="none"),
        looked("theirs.example", record="elsewhere"),
        domain("new.example"),
    )

    assert "TLSRPT record 1 of 4 right; none: gone.example; not valid: bad.example;" in " ".join(
        standing(text)
    )
    assert "leading elsewhere: theirs.example" in " ".join(standing(text))
    assert "DNS was not asked" not in text


def test_the_policy_that_was_looked_up_counts_before_the_quoted_one() -> None:
    """Reports speak of last week; what cannot be had now is named as that."""
    text = owner_of(
        looked(sts="testing"),
        looked("bad.example", sts="broken"),
        looked("off.example", sts="off"),
        looked("bare.example", sts="none"),
        looked("dane.example", sts="none", dane="full"),
        looked("unsigned.example", sts="none", dane="unsigned"),
    )

    found = standing(text)
    assert "MTA-STS testing example.com (see 21)" in found
    assert "MTA-STS not valid bad.example" in found
    assert "MTA-STS none off.example" in found
    assert "neither bare.example, unsigned.example" in found
    assert "DANE dane.example" in found


def test_what_nobody_could_look_up_is_taken_from_reports() -> None:
    """No DNSSEC here, or DNS did not answer: then what senders quote is what is known."""
    name = "dane.example"
    one = domain(name, pairs=[pair(name, policies=(("tlsa", None), ("sts", "enforce")))])
    unknown = Domain(name, one.days, one.pairs, Looked(record="right", dane="unknown"))

    found = standing(owner_of(looked(), unknown))

    assert "MTA-STS enforce dane.example, example.com (see 21)" in found
    assert "DANE dane.example" in found


def test_certificates_of_the_mx_hosts_are_named_with_the_nearest_end_first() -> None:
    """Of the reader's own domains alone; the fifth is a number."""
    mine = looked(mx=tuple(f"mx{n}.example.com" for n in range(6)))
    ends = {f"mx{n}.example.com": MONDAY + (90 - n) * DAY for n in range(6)}
    ends |= {"mx.other.example": MONDAY}

    text = " ".join(standing(owner_of(mine, certificates=ends)))

    assert "certificates mx5.example.com until 12 Jan 2027" in text
    assert "2 more later" in text
    assert "other.example" not in text


def test_certificates_of_domains_that_nobody_looked_at_are_not_known() -> None:
    """Nothing is made up."""
    made = material([domain()], certificates={"mx1.example.com": FIRE})

    assert () == page(made, ANA, directory({ANA: ["example.com"]})).certificates


def test_a_domain_without_reports_stands_by_what_was_looked_up() -> None:
    """A parked domain has a line of its own where nothing reports on it."""
    parked = Domain("parked.example", looked=Looked(record="none", sts="none", dane="none"))

    text = owner_of(looked(), parked)

    assert "1 of 2 right; none: parked.example" in " ".join(standing(text))


def test_the_operator_reads_how_many_records_are_right_and_where_the_gaps_are() -> None:
    """By group; what was not looked up is said."""
    whose = directory({ANA: ["*.a.example"]}, group="retail")
    made = material(
        [
            looked("x.a.example"),
            looked("y.a.example", record="broken", sts="broken"),
            looked("z.b.example", record="none", sts="off"),
            domain("new.b.example"),
        ]
    )

    text = mail(made, ROOT, whose, operator=True, owns=False).text
    rows = [" ".join(line.split()) for line in text.splitlines() if " %" in line]

    assert "domains record reporting MTA-STS enforce DANE" in " ".join(text.split())
    assert "retail 2 50 % 100 % 50 % 50 % 0 %" == rows[0]
    assert "together 4 25 % 100 % 50 % 50 % 0 %" == rows[2]
    assert "looked up, but for 1" in text
    assert (
        "Gaps: 1 without a TLSRPT record and 1 with one that is not right: tlsrpt-mailer domains"
        " gaps"
    ) in " ".join(text.split())


def test_what_takes_no_mail_is_in_nobodys_share() -> None:
    """Parked domains without a record make no fleet look worse than it is, nor any page."""
    parked = looked("parked.example", record="unneeded", sts="none")

    mixed = mail(material([looked(), parked]), ROOT, directory(), operator=True, owns=False).text
    alone = mail(material([parked]), ROOT, directory(), operator=True, owns=False).text

    assert "Each has a TLSRPT record that leads here." in mixed
    assert "together 1 100 %" in " ".join(mixed.split())
    assert "COVERAGE" not in alone
    assert "TLSRPT record 1 of 1 right" in " ".join(standing(owner_of(looked(), parked)))


def test_a_fleet_without_gaps_is_said_to_be() -> None:
    """One line, and the column."""
    text = mail(material([looked()]), ROOT, directory(), operator=True, owns=False).text

    assert "Each has a TLSRPT record that leads here." in text
    assert "looked up" in text
    assert "but for" not in text


def test_without_looks_the_page_says_that_dns_was_not_asked() -> None:
    """[checks] schedule = "off": no column of zeros."""
    text = mail(material([domain()]), ROOT, directory(), operator=True, owns=False).text

    assert "by what reports say and quote; DNS was not asked" in text
    assert "record" not in text.partition("COVERAGE")[2].partition("\n\n")[0]
