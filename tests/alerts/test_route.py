"""Who is told of which failure, and why."""

import pytest

from tests.alerts.examples import NOW, item, over, told
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock, MxBlock, Owner
from tlsrpt_mailer.alerts.model import Answer, Settings
from tlsrpt_mailer.alerts.route import ChannelRule, owns, route, route_channels
from tlsrpt_mailer.report.times import DAY, HOUR

ROOT, SHOP, MAIL, WEB, BOSS = (
    f"{name}@example.org" for name in ("root", "shop", "mail", "web", "boss")
)
DEFAULT = Owner(name="alerts.to", addresses=(ROOT,), is_default=True)
SHOPS = Owner(name="shop", addresses=(SHOP,), escalate_to=(BOSS,))
MAILERS = Owner(name="mailers", addresses=(MAIL,))
WEBBERS = Owner(name="web", addresses=(WEB,))
SETTINGS = Settings(now=NOW + 10 * DAY)


def directory(mx=(), **more):
    block = DomainBlock(match=("example.com", "*.shop.example"), owners=(SHOPS,), **more)
    return Directory(DEFAULT, (SHOPS, MAILERS, WEBBERS), (block,), mx)


def run_by(tell="digest"):
    return (MxBlock(match=("*.example.com",), owners=(MAILERS,), tell_domain_owners=tell),)


def by_recipient(*rows):
    """(recipient, row) pairs, as routing reads them."""
    found = {}
    for name, row in rows:
        found.setdefault(name, {})[row.failure] = row
    return found


def seats(items, who, rows=(), settings=SETTINGS):
    """Recipient to {failure: (role, whose)}."""
    found = route(items, by_recipient(*rows), who, settings)
    return {
        name: {one.failure: (one.role, one.role_of) for one in mine} for name, mine in found.items()
    }


# ------------------------------------------------------------------------- names


def test_what_no_block_names_is_nobodys():
    """The default recipients own it, also where a block gives it a group but no owner."""
    who = Directory(DEFAULT, (), (DomainBlock(match=("b.example",), group="retail"),))

    assert [(DEFAULT,)] * 2 == [who.owners_of(name) for name in ("a.example", "b.example")]
    assert all(who.is_nobodys(name) for name in ("a.example", "b.example"))
    assert [None, "retail"] == [who.group_of(name) for name in ("a.example", "b.example")]


def test_the_directory_knows_its_people():
    """Owners by name, all addresses in order, and each in the configuration's own spelling."""
    lone = Owner(name="Ann@Example.org", addresses=("Ann@Example.org",))
    block = DomainBlock(match=("c.example",), owners=(lone,), policy_host_owners=(WEBBERS,))
    who = Directory(DEFAULT, (SHOPS,), (block,), (MxBlock(match=("*",), owners=(MAILERS,)),))

    assert (SHOPS, None) == (who.owner_named("shop"), who.owner_named("nobody"))
    assert ("Ann@Example.org", BOSS, MAIL, ROOT, SHOP, WEB) == who.addresses()
    assert ("Ann@Example.org", "new@example.org") == (
        who.spelled("ann@example.ORG"),
        who.spelled("new@example.org"),
    )


# ------------------------------------------------------------------- who can mend


def test_the_owners_of_a_domain_are_told():
    """And nobody else; the default recipients only get what is nobody's."""
    items = [item(), item(18, domain="else.example", mx=None, cause=18)]

    assert {SHOP: {17: ("domain", "shop")}, ROOT: {18: ("default", "alerts.to")}} == seats(
        items, directory()
    )


def test_whoever_runs_the_mx_is_told_of_failures_at_it():
    """The domain's owner reads it in the digest, or is mailed too, or hears nothing."""
    told_too = {MAIL: {17: ("mx", "mailers")}, SHOP: {17: ("domain", "shop")}}

    assert {MAIL: {17: ("mx", "mailers")}} == seats([item()], directory(run_by()))
    assert told_too == seats([item()], directory(run_by("alert")))
    assert {MAIL: {17: ("mx", "mailers")}} == seats([item()], directory(run_by("none")))


def test_a_failure_without_an_mx_goes_where_its_cause_goes():
    """A row that names no host is of the MX that it joined."""
    nameless = item(18, mx=None, cause_mx="mx1.example.com")

    assert {MAIL: {18: ("mx", "mailers")}} == seats([nameless], directory(run_by()))


@pytest.mark.parametrize("kind", ["sts-policy-fetch-error", "sts-webpki-invalid"])
def test_whoever_runs_the_policy_host_is_told_of_the_policy(kind):
    """Who runs the MX cannot mend a web server."""
    failure = item(result_type=kind, mx=None)
    block = {"policy_host_owners": (WEBBERS,)}

    assert {SHOP: {17: ("domain", "shop")}} == seats([failure], directory(run_by()))
    assert {WEB: {17: ("policy-host", "web")}} == seats([failure], directory(**block))
    assert {WEB, SHOP} == set(seats([failure], directory(tell_domain_owners="alert", **block)))


def test_one_mail_where_many_owners_share_an_mx_that_is_nobodys():
    """From the fourth owner on the default recipients are told, in place of each of them."""
    teams = [Owner(name=f"t{n}", addresses=(f"t{n}@example.org",)) for n in range(4)]
    who = Directory(
        DEFAULT,
        teams,
        [DomainBlock(match=(f"d{n}.example",), owners=(teams[n],)) for n in range(4)],
    )
    items = [item(n, domain=f"d{n}.example") for n in range(4)]
    liar = [*items[:3], item(3, domain="d3.example", severity="low")]

    assert {f"t{n}@example.org" for n in range(3)} == set(seats(items[:3], who))
    assert {ROOT: dict.fromkeys(range(4), ("default", "alerts.to"))} == seats(items, who)
    assert ROOT not in seats(liar, who)


def test_who_was_told_before_the_fourth_owner_stays_with_it():
    """And the default recipients keep the cause when some of its domains are over."""
    teams = [Owner(name=f"t{n}", addresses=(f"t{n}@example.org",)) for n in range(4)]
    who = Directory(
        DEFAULT,
        teams,
        [DomainBlock(match=(f"d{n}.example",), owners=(teams[n],)) for n in range(4)],
    )
    items = [item(n, domain=f"d{n}.example") for n in range(4)]
    early = ("t0@example.org", told(0))
    kept = [(ROOT, told(n)) for n in range(1, 4)]

    assert {"t0@example.org", ROOT} == set(seats(items, who, [early]))
    assert {ROOT} == set(seats(items[1:3], who, kept))


# ------------------------------------------------------------- told, assigned, late


def test_who_was_told_hears_the_end_whatever_routing_says_later():
    """An address that left the configuration is told that it is over, and nothing else."""
    rows = [("old@example.org", told()), ("gone@example.org", told(event="resolved"))]

    found = seats([over()], directory(), [*rows, ("log", told())])

    assert {SHOP, "old@example.org"} == set(found)
    assert ("told", "") == found["old@example.org"][17]


def test_an_assignee_is_told_by_whom():
    """Whoever a failure was assigned to is told of it; of an ended one only the told ones are."""
    given = Answer(kind="assign", who=SHOP, at=NOW, assignee="MAIL@example.org")

    assert ("assigned", SHOP) == seats([item(assigned=given)], directory())[MAIL][17]
    assert {SHOP} == set(seats([over(assigned=given)], directory()))


def test_nobody_is_told_twice_of_one_failure():
    """Of several reasons the first counts: assigned, then owner, then escalation."""
    given = Answer(kind="assign", who=ROOT, at=NOW, assignee=SHOP)

    assert {SHOP: {17: ("assigned", ROOT)}} == seats([item(assigned=given)], directory())


def test_each_mail_says_who_else_got_it():
    """Only addresses that are told of that very failure."""
    rows = [("old@example.org", told())]
    found = route([item()], by_recipient(*rows), directory(run_by("alert")), SETTINGS)

    assert (SHOP,) == found[MAIL][0].also_told
    assert (MAIL,) == found[SHOP][0].also_told
    assert (MAIL, SHOP) == found["old@example.org"][0].also_told


def test_an_unanswered_failure_is_escalated():
    """Two days after the first mail, to the second, and never while it is answered."""
    row = told(first_at=NOW, opened_at=NOW + DAY)
    late = Settings(now=NOW + 2 * DAY)
    early = Settings(now=NOW + 2 * DAY - 1)

    assert BOSS not in seats([item()], directory(), [(SHOP, row)], early)
    assert ("escalation", "shop") == seats([item()], directory(), [(SHOP, row)], late)[BOSS][17]
    (called,) = route([item()], by_recipient((SHOP, row)), directory(), late)[BOSS]
    assert (NOW, (SHOP,)) == (called.asked_at, called.also_told)


@pytest.mark.parametrize(
    "more",
    [
        {"state": "acknowledged"},
        {"state": "fixed?"},
        {"state": "muted"},
        {"state": "stale"},
        {"is_quiet": True},
        {"muted_until": NOW + 99 * DAY},
        {"assigned": Answer(kind="assign", who=SHOP, at=NOW, assignee=SHOP)},
    ],
)
def test_what_somebody_has_is_not_escalated(more):
    """Nor what nobody can do anything about."""
    assert BOSS not in seats([item(**more)], directory(), [(SHOP, told())])


def test_an_answer_for_one_domain_of_a_cause_keeps_the_others_from_escalation():
    """Somebody has the cause; a domain that joined it later is no reason to wake the head."""
    ack = Answer(kind="ack", who=SHOP, at=told().at + 1)
    both = [item(state="acknowledged", answer=ack), item(18, domain="a.shop.example")]
    later = told(18, at=ack.at + 1)

    assert BOSS not in seats(both, directory(), [(SHOP, told()), (SHOP, later)])
    assert BOSS in seats(both, directory(), [(SHOP, told()), (SHOP, told(18))])


def test_what_was_not_told_is_not_escalated():
    """Not what nobody was mailed about, nor for an incident that is over."""
    assert BOSS not in seats([item()], directory())
    assert BOSS not in seats([item(incident=2)], directory(), [(SHOP, told())])


def test_an_ack_that_ran_out_counts_from_its_end():
    """Nobody is escalated to at the very moment when an ack lapses."""
    gone = Answer(kind="ack", who=SHOP, at=NOW, until=NOW + 10 * DAY)
    rows = [(SHOP, told(first_at=NOW))]

    lapsed = seats([item(answer=gone)], directory(), rows, Settings(now=NOW + 11 * DAY))
    later = seats([item(answer=gone)], directory(), rows, Settings(now=NOW + 12 * DAY))

    assert (False, True) == (BOSS in lapsed, BOSS in later)


def test_an_answer_that_reports_refuted_counts_from_the_mail_that_said_so():
    """Whoever called it mended gets the time anew, from when they were told that it is not."""
    said = Answer(kind="fixed", who=SHOP, at=NOW + DAY)
    late = Settings(now=NOW + 9 * DAY)
    before = told(first_at=NOW, opened_at=NOW)
    since = told(first_at=NOW, opened_at=NOW + 7 * DAY)

    assert BOSS not in seats([item(answer=said)], directory(), [(SHOP, before)], late)
    (called,) = route([item(answer=said)], by_recipient((SHOP, since)), directory(), late)[BOSS]
    assert NOW + 7 * DAY == called.asked_at


def test_escalation_is_sticky():
    """Who was called stays to the end, though somebody has answered since."""
    rows = [(SHOP, told()), (BOSS, told())]

    for failure in (item(state="acknowledged"), over()):
        assert ("escalation", "shop") == seats([failure], directory(), rows)[BOSS][17]


# ------------------------------------------------------------------------- owning


def test_who_may_see_and_act():
    """The owner and who it escalates to; where others mend it, they too."""
    who = directory(run_by())

    def mine(address, kind="certificate-expired", mx="mx1.example.com", domain="example.com"):
        return owns(address, domain, kind, mx, who)

    assert mine(SHOP)
    assert mine(BOSS.upper())
    assert mine(MAIL)
    assert not mine(MAIL, "sts-policy-invalid", None)
    assert not mine(ROOT)
    assert mine(ROOT, domain="else.example", mx=None)


def test_domain_owners_who_are_to_hear_nothing_may_not_act():
    """tell_domain_owners = "none" holds for answers too."""
    who = directory(run_by("none"))

    assert not owns(SHOP, "example.com", "certificate-expired", "mx1.example.com", who)


# ----------------------------------------------------------------------- channels


def test_channels_get_what_their_filters_let_through():
    """By owner, by group, or everything."""
    who = directory(run_by(), group="retail")
    items = [item(), item(18, domain="else.example", mx=None, cause=18)]
    rules = (
        ChannelRule(name="all"),
        ChannelRule(name="shop", owners=frozenset({"shop"})),
        ChannelRule(name="mx", owners=frozenset({"mailers"})),
        ChannelRule(name="retail", groups=frozenset({"retail"})),
        ChannelRule(name="other", groups=frozenset({"other"})),
    )

    found = route_channels(items, rules, who)

    assert {
        "channel:all": [17, 18],
        "channel:shop": [17],
        "channel:mx": [17],
        "channel:retail": [17],
        "channel:other": [],
    } == {name: [one.failure for one in mine] for name, mine in found.items()}
    assert ("channel", "all") == (found["channel:all"][0].role, found["channel:all"][0].role_of)
    assert {} == route_channels(items, (), who)


def test_what_a_channel_was_told_makes_it_no_recipient_of_mail():
    """Rows of a channel are no addresses: nothing is mailed to "channel:slack"."""
    rows = [("channel:slack", told())]

    assert {SHOP} == set(seats([item()], directory(), rows, Settings(now=NOW + HOUR)))
