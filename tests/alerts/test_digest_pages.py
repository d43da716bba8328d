"""Whose digest a domain or a failure stands in: nobody reads of what is not theirs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.alerts.digests import (
    ANA,
    BEN,
    FIRE,
    MONDAY,
    POST,
    digest,
    directory,
    domain,
    failure,
    fetch,
    material,
    owner,
    page,
    pair,
    rendered,
)
from tlsrpt_mailer.alerts.digest_model import Silence
from tlsrpt_mailer.alerts.digest_pages import Shares
from tlsrpt_mailer.alerts.directory import MxBlock
from tlsrpt_mailer.alerts.model import Answer
from tlsrpt_mailer.report.times import DAY

MX = "mx1.mail.example.net"


def numbers(made, address: str, whose) -> list[int]:
    return [one.item.failure for one in page(made, address, whose).open_failures]


def test_a_domain_is_its_owners_and_nobodys_is_the_defaults():
    """Every domain stands in exactly the digests of those who own it."""
    whose = directory({ANA: ["a.example", "*.a.example"], BEN: ["b.example"]})
    made = material(
        [domain(name) for name in ("a.example", "x.a.example", "b.example", "c.example")]
    )

    shares = Shares(made, whose)

    found = {one: [line.name for line in shares.page(one).domains] for one in shares.addresses()}
    assert {ANA: ["a.example", "x.a.example"], BEN: ["b.example"], POST: ["c.example"]} == found


def test_a_failure_at_an_mx_is_its_owners_and_the_domain_owners_as_configured():
    """Who runs the MX mends it; the domain's owner reads of it, unless told nothing."""
    made = material([domain("a.example")], [failure(1, "a.example", mx=MX)])
    for tell, reads in (("digest", [1]), ("alert", [1]), ("none", [])):
        host = MxBlock(match=(MX,), owners=(owner(BEN),), tell_domain_owners=tell)
        whose = directory({ANA: ["a.example"]}, [host])

        assert [1] == numbers(made, BEN, whose)
        assert reads == numbers(made, ANA, whose)
        assert [] == numbers(made, POST, whose)


def test_a_failure_of_the_policy_host_is_likewise():
    """Who runs mta-sts.DOMAIN reads of its trouble, and of no other."""
    whose = directory({ANA: ["a.example"]}, policy_host_owners=(owner(BEN),))
    made = material(failures=[fetch(1, "a.example"), failure(2, "a.example")])

    assert [1] == numbers(made, BEN, whose)
    assert [2, 1] == numbers(made, ANA, whose)


def test_what_is_assigned_is_in_the_assignees_digest():
    """Who was handed a failure finds it, though the domain is another's; ended, no more."""
    ben = Answer(kind="assign", who=ANA, at=FIRE, assignee="Ben@Other.Example")
    whose = directory({ANA: ["a.example"], BEN: ["b.example"]})
    over = failure(2, "a.example", assigned=ben, state="resolved", ended_at=FIRE)
    made = material(failures=[failure(1, "a.example", assigned=ben), over])

    assert [1] == numbers(made, BEN, whose)
    assert () == page(made, BEN, whose).mended


def test_silence_about_another_tenants_domain_is_not_told():
    """Not that a reporter stopped on it, nor when."""
    whose = directory({ANA: ["a.example"], BEN: ["b.example"]})
    silences = (
        Silence(reporter="Google", domains=("a.example",), last=MONDAY - 9 * DAY),
        Silence(reporter="Google", domains=("b.example",), last=MONDAY - 6 * DAY),
    )
    made = material([domain("a.example"), domain("b.example")], silences=silences)

    (told,) = page(made, ANA, whose).silences

    assert (("a.example",), MONDAY - 9 * DAY) == (told.domains, told.last)


def test_a_day_without_a_session_is_no_failure():
    """A report that counts nothing says at least that somebody looked."""
    made = material([domain("a.example", ".......", sessions=0)])

    assert "......." == page(made).domains[0].cells
    assert page(made).is_empty


def test_half_is_not_over_half():
    """The bounds of the characters are those of the legend."""
    half = material([domain("a.example", "@......", sessions=0)])
    days = dict(half.domains["a.example"].days)
    first = half.period.week[0]
    cells = []
    for failed in (0, 1, 9, 10, 99, 100, 500, 501, 2000):
        days[first] = type(days[first])(1000, failed, 1)
        changed = type(half.domains["a.example"])("a.example", days, ())
        cells.append(page(material([changed])).domains[0].cells[0])

    assert ".--++##@@" == "".join(cells)


TENANTS = ("alpha", "beta", "gamma")
PRIMES = {"alpha": 10_007, "beta": 20_011, "gamma": 40_009}


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_no_digest_names_or_counts_another_tenants_domain(data: st.DataObject):
    """Whatever is shared, a tenant's mail holds nothing that began with another tenant."""
    domains, failures, silences, number = [], [], [], 1
    for tenant in TENANTS:
        for at in range(data.draw(st.integers(0, 3))):
            name = f"d{at}.{tenant}.example"
            week = data.draw(st.text(".-+#@ ?", min_size=7, max_size=7))
            domains.append(domain(name, week, sessions=PRIMES[tenant], pairs=[pair(name)]))
            silences.append(Silence(reporter="Google", domains=(name,), last=MONDAY - 8 * DAY))
            for _ in range(data.draw(st.integers(0, 2))):
                state = data.draw(st.sampled_from(["ongoing", "stale", "resolved", "closed"]))
                severity = data.draw(st.sampled_from(["critical", "warning", "low"]))
                failures.append(
                    failure(
                        number * 1000,
                        name,
                        cause=data.draw(st.integers(1, 2)),
                        mx=MX,
                        state=state,
                        severity=severity,
                        failed=number,
                        sessions=PRIMES[tenant],
                    )
                )
                number += 1
    whose = directory({f"post@{tenant}.example": [f"*.{tenant}.example"] for tenant in TENANTS})
    made = material(domains, failures, silences=tuple(silences))

    for tenant in TENANTS:
        mine = f"post@{tenant}.example"
        raw = rendered(digest(made, mine, whose)).raw.decode()
        own = {
            one.item.failure for one in failures if one.item.domain.endswith(f"{tenant}.example")
        }
        total = page(made, mine, whose).total.sessions
        for other in set(TENANTS) - {tenant}:
            assert f"{other}.example" not in raw
        for one in failures:
            if one.item.failure not in own:
                assert f" {one.item.failure} " not in raw
        assert 0 == total % PRIMES[tenant]
