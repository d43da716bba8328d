"""`domains`: the inventory, its gaps, one domain, how far each group is, and what is ready."""

import csv
import gc
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cli.conftest import Place
from tests.cli.looked import CONFIG
from tests.cli.test_json import keys
from tests.flows.watching import NOW, Watch
from tlsrpt_mailer.cli import inventory
from tlsrpt_mailer.cli.inventory import Entry, coverage
from tlsrpt_mailer.cli.whose import Found
from tlsrpt_mailer.domains.inventory import DaneState, Standing, StsState
from tlsrpt_mailer.failures.probed import BLOCKED
from tlsrpt_mailer.report.times import DAY
from tlsrpt_mailer.store.inventory import StoredDomain, refresh_volumes


def names(place: Place, *words: str) -> list[str]:
    return [one["domain"] for one in place("domains", *words, "--json").json]


# ------------------------------------------------------------------------- list


def test_every_domain_stands_with_its_state_and_the_worst_first(looked: Place) -> None:
    """What nobody would learn of stands first, with the reason; then what is broken."""
    lines = looked("domains").out.splitlines()

    assert (
        "domain               state          since   MTA-STS  DANE     sessions  failed  open"
        == (lines[0])
    )
    assert (
        "gone.example         no record      22 Nov  enforce  none            -       -     1"
        == (lines[1])
    )
    assert "    it publishes no TLSRPT record" == lines[2]
    assert [
        "gone.example",
        "mx1.shop.example",
        "parked.example",
        "broken.shop.example",
        "shop.example",
        "example.com",
    ] == [line.split()[0] for line in lines[1:11] if not line.startswith(" ") and line]
    assert (
        "shop.example         first report   18 Nov  enforce  unknown    15,625    12 %     1"
        in lines
    )
    assert "Of 4 domains nobody learns anything: tlsrpt-mailer domains gaps" == lines[-1]


def test_an_mx_host_with_tlsa_stands_in_it_by_itself(looked: Place) -> None:
    """DANE senders look for the record of the MX host (RFC 8460, 3)."""
    lines = looked("domains").out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("mx1.shop.example"))

    assert (
        "    MX host with TLSA records; it publishes no TLSRPT record of its own" == lines[at + 1]
    )


def test_an_mx_host_that_nobody_says_to_be_ours_is_no_gap(looked: Place) -> None:
    """It is listed, last, since who runs it may want to know; a [[mx]] makes it ours."""
    host = "mx1.hoster.example"
    watch = Watch(looked.folder / "state")
    watch.world.now = NOW
    watch.sky.domain("shop.example", mx=(host,), mode="enforce")
    watch.sky.put(f"_25._tcp.{host}", "TLSA", "3 1 1 " + "ab" * 32)
    watch.world.store.checks.soon(["shop.example"], NOW)
    watch.until(NOW)
    watch.world.store.close()

    out = looked("domains").out
    rows = {row["domain"]: row for row in looked("domains", "--json").json}
    gaps = [row["domain"] for row in looked("domains", "gaps", "--json").json]
    looked.configure(
        f'{CONFIG}[[mx]]\nmatch = ["*.hoster.example"]\nowners = ["kim@shop.example"]\n'
    )

    assert "    MX host with TLSA records, which others may run; it publishes no" in out
    assert "unchecked" == rows[host]["whose"]
    assert host not in gaps
    assert host in [row["domain"] for row in looked("domains", "gaps", "--json").json]


def test_the_list_is_narrowed_by_state_group_and_owner(looked: Place) -> None:
    """Each filter alone, several of one kind, and together."""
    assert ["broken.shop.example"] == names(looked, "--state", "record-broken")
    assert ["gone.example", "mx1.shop.example", "parked.example", "broken.shop.example"] == names(
        looked, "--state", "record-broken", "--state", "no-record"
    )
    assert ["example.com"] == names(looked, "--group", "brands")
    assert ["example.com"] == names(looked, "--owner", "postmaster@example.com")
    assert [] == names(looked, "--group", "brands", "--owner", "kim@shop.example")
    assert (
        "No domain of that kind." in looked("domains", "--group", "brands", "--state", "silent").out
    )
    assert 64 == looked("domains", "--state", "fine").code


def test_the_list_is_read_by_programs(looked: Place) -> None:
    """JSON with the keys of its page, CSV with the same columns; pages hold for both."""
    rows = looked("domains", "--json").json
    table = list(csv.reader(io.StringIO(looked("domains", "--csv").out)))
    one = next(row for row in rows if row["domain"] == "shop.example")

    assert keys("domains") == list(one)
    assert keys("domains") == table[0]
    assert [row["domain"] for row in rows] == [line[0] for line in table[1:]]
    wanted = {
        "state": "first-report",
        "since": "2026-11-18T00:00:00Z",
        "record_state": "right",
        "mta_sts": "enforce",
        "mta_sts_id": "20261001",
        "dane": "unknown",
        "mx": ["mx1.shop.example"],
        "owners": ["kim@shop.example"],
        "group": "retail",
        "sessions": 15625,
        "failed_sessions": 1893,
        "reporters": 1,
        "open_failures": 1,
        "open_critical": 1,
        "is_mx_host": False,
        "last_report": "2026-11-22T00:00:00Z",
    }
    assert wanted == {key: one[key] for key in wanted}
    assert 2 == len(looked("domains", "--limit", "2", "--json").json)
    assert "2 of 6 domains; all of them: --all" in looked("domains", "--limit", "2").out
    assert 3 == len(looked("domains", "--csv", "--limit", "2").out.splitlines())
    assert "" == looked("domains", "--csv", "--group", "nobody").out


def test_coverage_is_told_by_group(looked: Place) -> None:
    """Which share of each group has a record, reports, and MTA-STS; MX hosts are no domains."""
    out = looked("domains", "coverage").out.splitlines()
    rows = looked("domains", "coverage", "--json").json

    assert ["retail", "4", "25", "%", "25", "%", "75", "%", "50", "%", "0", "%"] == out[1].split()
    assert ["all", "5", "40", "%", "40", "%", "80", "%", "60", "%", "0", "%"] == out[-1].split()
    assert keys("domains coverage") == list(rows[0])
    assert [("retail", 4, 1), ("brands", 1, 1)] == [
        (row["group"], row["domains"], row["record"]) for row in rows
    ]


def test_domains_that_take_no_mail_do_not_lower_the_share(looked: Place) -> None:
    """A null MX says that nobody has anything to report there."""
    with watching(looked) as watch:
        for name in ("shop.example", "gone.example", "example.com", "broken.shop.example"):
            watch.sky.domain(name, mode="enforce")
        watch.sky.put("parked.example", "MX", "0 .")
        watch.at(NOW)

    assert [("retail", 3, 3), ("brands", 1, 1)] == [
        (row["group"], row["domains"], row["record"])
        for row in looked("domains", "coverage", "--json").json
    ]


@pytest.mark.parametrize(
    ("sts", "dane", "counted"),
    [
        ("enforce", "full", (1, 1, 1)),
        ("testing", "partial", (1, 0, 0)),
        ("off", "unsigned", (0, 0, 0)),
        ("broken", "broken", (0, 0, 0)),
        (None, "unknown", (0, 0, 0)),
    ],
)
def test_what_protects_nobody_is_not_covered(
    sts: StsState | None, dane: DaneState, counted: tuple[int, int, int]
) -> None:
    """Neither a policy of mode none, nor TLSA records at some of the MX hosts."""
    stored = StoredDomain(domain="a.example", sts=sts, dane=dane)
    found = Found(None, "ours", "")  # type: ignore[arg-type]  # whose it is counts alone
    one = Entry(stored, found, Standing("published", None, ""), (), None)

    (group,) = coverage([one])

    assert counted == (group.mta_sts, group.enforce, group.dane)


def test_many_groups_do_not_fill_the_page(looked: Place) -> None:
    """Below the list stand the largest ones; the command has all."""
    stanzas = "".join(f'[[domains]]\nmatch = ["d{n}.example"]\ngroup = "g{n}"\n' for n in range(14))
    looked.configure(f'{stanzas}[checks]\nschedule = "off"\n')

    groups = looked("domains", "coverage", "--json").json

    assert [*sorted(f"g{n}" for n in range(14)), None] == [one["group"] for one in groups]
    assert "15 groups; all of them: tlsrpt-mailer domains coverage" in looked("domains").out


def test_domains_that_the_configuration_names_stand_in_it_before_anything_is_known(
    place: Place,
) -> None:
    """Right after the installation: not looked at, no report, and how to change that."""
    place.configure('[[domains]]\nmatch = ["example.com", "*.glob.example"]\n')
    assert 0 == place("import", str(place.mails)).code

    out = place("domains").out
    (one,) = place("domains", "--json").json

    assert ["example.com", "unknown"] == out.splitlines()[1].split()[:2]
    assert ("example.com", "unknown", None) == (one["domain"], one["state"], one["looked_at"])
    assert "1 domain not looked at yet: tlsrpt-mailer check" in place("domains", "gaps").out


def test_what_is_over_is_not_open(looked: Place) -> None:
    """The record is back, so there is nothing to do at that domain any more."""
    assert [1] == [row["open_failures"] for row in rows(looked, "gone.example")]
    with watching(looked) as watch:
        for name in ("gone.example", "shop.example"):
            watch.sky.domain(name, mode="enforce")
        watch.at(NOW)

    assert [0] == [row["open_failures"] for row in rows(looked, "gone.example")]


def test_what_is_ours_no_more_is_not_listed(looked: Place) -> None:
    """Neither the configuration names it, nor does a report speak of it."""
    with watching(looked) as watch:
        watch.enrol("shop.example", "example.com")
    looked.configure('[[domains]]\nmatch = ["shop.example", "example.com"]\n')

    assert ["mx1.shop.example", "shop.example", "example.com"] == names(looked)


def test_a_domain_is_silent_until_reports_come_again(looked: Place) -> None:
    """By the judge of silence; a silence that is over makes no gap."""

    def notice(sql: str) -> None:
        with watching(looked) as watch, watch.world.store.writer.transaction() as conn:
            conn.execute(sql, {"at": NOW - DAY})

    notice(
        "INSERT INTO notices (kind, key, recipient, since)"
        " VALUES ('silent-domain', 'example.com', 'root@example.com', :at)"
    )
    (silent,) = rows(looked, "example.com")
    notice("UPDATE notices SET ended_at = :at")
    (heard,) = rows(looked, "example.com")

    assert ("silent", "2026-11-22T12:00:00Z") == (silent["state"], silent["since"])
    assert "first-report" == heard["state"]


def test_reports_of_who_is_distrusted_count_for_nothing(looked: Place) -> None:
    """A domain that only they speak of has no reports yet."""
    assert 0 == looked("reporters", "distrust", "google.com").code
    with watching(looked) as watch:
        refresh_volumes(watch.world.store.path, watch.world.store.writer, NOW)

    (row,) = rows(looked, "example.com")
    assert ("published", 0, 0) == (row["state"], row["sessions"], row["reporters"])


@contextmanager
def watching(place: Place) -> Iterator[Watch]:
    """The daemon of a place, which has to look at all domains now."""
    watch = Watch(place.folder / "state")
    watch.world.now = NOW
    watch.soon()
    yield watch
    watch.world.store.close()


def rows(place: Place, domain: str) -> list[dict[str, Any]]:
    return [row for row in place("domains", "--json").json if row["domain"] == domain]


# ------------------------------------------------------------------------- gaps


def test_gaps_exit_with_1_and_say_what_to_publish(looked: Place) -> None:
    """A script in CI learns by the exit code that a domain has no record."""
    result = looked("domains", "gaps")

    assert 1 == result.code
    assert "4 gaps\nWhat to publish: tlsrpt-mailer record --all-gaps\n" in result.out
    assert "shop.example         first" not in result.out
    assert ["gone.example", "mx1.shop.example", "parked.example", "broken.shop.example"] == [
        one["domain"] for one in looked("domains", "gaps", "--json").json
    ]
    assert 1 == looked("domains", "gaps", "--json").code


def test_without_gaps_all_is_well(looked: Place) -> None:
    """Exit code 0, and a word of it."""
    result = looked("domains", "gaps", "--group", "brands")

    assert (0, "No gaps.\n") == (result.code, result.out)
    assert [] == looked("domains", "gaps", "--group", "brands", "--json").json


# ------------------------------------------------------------------------- show


def test_one_domain_is_shown_whole(looked: Place) -> None:
    """State and why, the records, MX hosts, owners, what is wrong, what changed, what is open."""
    out = looked("domains", "show", "GONE.example.").out

    for line in (
        "  state       no record, since 22 Nov: it publishes no TLSRPT record",
        "  looked at   today at 10:39Z (1 h ago)",
        "  MTA-STS     enforce, id 20261001",
        "  MX          mx1.gone.example",
        "  owners      kim@shop.example",
        "  group       retail",
        "  reports     none yet",
        "  warning   TLSRPT record gone; mend: publish the TLSRPT record again",
        "  21-22 Nov       TLSRPT record: v=TLSRPTv1; rua=mailto:tlsrpt@example.com ->",
    ):
        assert line in out.splitlines()
    assert "OPEN  tlsrpt-mailer failures --domain gone.example" in out


def test_the_record_is_shown_as_it_was_seen_and_where_to_read_more(looked: Place) -> None:
    """The text, not only that it is right; and the command with the domain, to be pasted."""
    right = looked("domains", "show", "example.com").out
    gone = looked("domains", "show", "gone.example").out
    one = looked("domains", "show", "example.com", "--json").json

    assert '\n              "v=TLSRPTv1; rua=mailto:tlsrpt@example.com"\n' in right
    assert "\nFOUND  (in full: tlsrpt-mailer check gone.example)\n" in gone
    assert ["v=TLSRPTv1; rua=mailto:tlsrpt@example.com"] == one["records"]
    assert [] == one["shown"]


def test_what_does_not_apply_to_an_mx_host_is_said_so(looked: Place) -> None:
    """It has no policy, TLSA and MX of a mail domain: that is not the same as not known."""
    lines = looked("domains", "show", "mx1.shop.example").out.splitlines()

    for term in ("MTA-STS", "DANE", "MX"):
        assert f"  {term:<12}does not apply" in lines


def test_one_domain_is_read_by_programs(looked: Place) -> None:
    """What the list has, and findings and changes."""
    one = looked("domains", "show", "gone.example", "--json").json

    assert [*keys("domains"), *keys("domains show")] == list(one)
    assert [("tlsrpt-gone", "warning", None)] == [
        (found["code"], found["severity"], found["mx"]) for found in one["findings"]
    ]
    assert [("tlsrpt", "v=TLSRPTv1; rua=mailto:tlsrpt@example.com", "")] == [
        (change["kind"], change["old"], change["new"]) for change in one["changes"]
    ]


def test_a_domain_that_is_not_known_is_said_to_be(looked: Place) -> None:
    """So is what is no domain at all; both say what to do."""
    unknown = looked("domains", "show", "nobody.example")
    wrong = looked("domains", "show", "no domain")

    assert (1, "tlsrpt-mailer: no domain nobody.example: tlsrpt-mailer domains\n") == (
        unknown.code,
        unknown.err,
    )
    assert 64 == wrong.code
    assert '"no domain" is no domain name' in wrong.err


def test_a_domain_that_is_not_ours_is_shown_as_that(looked: Place) -> None:
    """Nothing is claimed of its state."""
    from tests import mails  # noqa: PLC0415

    looked.configure('[trust]\ndkim = "require"\n[[domains]]\nmatch = ["example.com"]\n')
    path = looked.mail("other.eml", mails.mail(mails.report("other.example", "2026-11-21")))
    looked("import", str(path))

    out = looked("domains", "show", "other.example").out

    assert out.startswith("other.example\n  whose       foreign: ")
    assert "other.example" in names(looked)
    assert "other.example" not in names(looked, "--state", "unknown")
    assert "state" not in out


# -------------------------------------------------------------------- readiness


def test_readiness_says_what_enforce_would_have_refused(looked: Place) -> None:
    """Share, the MX in the way, the next step; for MTA-STS and for DANE."""
    out = looked("domains", "readiness", "shop.example").out.splitlines()
    (one,) = looked("domains", "readiness", "shop.example", "--json").json

    assert ["shop.example", "enforce", "on", "15,625", "1,893", "12", "%"] == out[1].split()
    assert "DANE" == out[3].split()[0]
    assert keys("domains readiness") == list(one)
    assert keys("readiness") == list(one["mta_sts"])
    assert (15625, 1893, 0.121152) == (
        one["mta_sts"]["sessions"],
        one["mta_sts"]["would_be_refused"],
        one["mta_sts"]["share"],
    )
    assert [{"mx": "mx1.shop.example", "sessions": 1893}] == one["mta_sts"]["mx"]
    assert ["shop.example", "example.com"] == [
        row["domain"] for row in looked("domains", "readiness", "--json").json
    ]
    assert "1 of 2 domains" in looked("domains", "readiness", "--limit", "1").out


def test_readiness_looks_back_for_thirty_days(looked: Place) -> None:
    """What was mended before then stands in nobody's way: only the last day is left of four."""
    (one,) = looked(
        "domains", "readiness", "shop.example", "--json", now="2026-12-20T12:00:00Z"
    ).json

    assert (5326, 1893) == (one["mta_sts"]["sessions"], one["mta_sts"]["would_be_refused"])


def test_readiness_of_what_nothing_reports_on(looked: Place) -> None:
    """A domain of ours without reports says so; one that is not ours is no domain."""
    (one,) = looked("domains", "readiness", "parked.example", "--json").json
    other = looked("domains", "readiness", "nobody.example")
    looked.configure('[[domains]]\nmatch = ["quiet.example"]\n[trust]\ndkim = "require"\n')

    assert ("unknown", 0) == (one["mta_sts"]["verdict"], one["mta_sts"]["sessions"])
    assert (1, "tlsrpt-mailer: no domain of yours: nobody.example\n") == (other.code, other.err)


@pytest.mark.parametrize("words", [("domains",), ("domains", "gaps"), ("domains", "readiness")])
def test_without_a_database_there_is_no_empty_table(place: Place, words: tuple[str, ...]) -> None:
    """Exit code 1, and what is missing."""
    result = place(*words)

    assert 1 == result.code
    assert "no database" in result.err


# ---------------------------------------------------------------------- findings


def test_findings_stand_among_the_failures(looked: Place) -> None:
    """With their words, and who has seen them: no session failed, so no share is made up."""
    out = looked("failures").out
    rows = {row["result_type"]: row for row in looked("failures", "--json").json}

    assert "  3  warning   ongoing    TLSRPT record gone                   22 Nov       -" in out
    assert "gone.example; found from here, last 1 h ago" in out
    assert ("check", None, 0, []) == tuple(
        rows["tlsrpt-gone"][key] for key in ("policy_type", "share", "failed_sessions", "reporters")
    )
    assert 0.3554 == rows["certificate-expired"]["share"]
    every = looked("failures", "--all").out
    assert "tlsrpt-gone" in every
    causes = {row["result_type"]: row for row in looked("causes", "--json").json}
    assert causes["tlsrpt-gone"]["share"] is None


def test_one_finding_is_shown_with_its_mend(looked: Place) -> None:
    """What is wrong, why it matters, the record to publish, how to see it; and as JSON."""
    out = looked("failures", "show", "3").out
    one = looked("failures", "show", "3", "--json").json
    other = looked("failures", "show", "2", "--json").json

    assert out.startswith("3  tlsrpt-gone, found by looks from here\n")
    assert "  began      between the looks of 21 Nov 08:57Z and 22 Nov 07:24Z" in out
    assert "  over       with the first look that does not find it: tlsrpt-mailer check" in out
    assert '"v=TLSRPTv1; rua=mailto:tlsrpt@example.com" )' in out
    assert out.endswith(
        "tlsrpt-mailer check gone.example\ntlsrpt-mailer domains show gone.example\n"
    )
    assert keys("finding") == list(one["finding"])
    assert other["finding"] is None


def test_the_story_of_a_finding(looked: Place) -> None:
    """Which look found it first, how often it was found, what people said, that it is over."""
    looked("failures", "ack", "3", "--note", "on it")

    out = looked("failures", "show", "3", "--why").out
    rows = looked("failures", "show", "3", "--why", "--json").json["why"]

    assert "22 Nov 07:24Z  first seen     the look of 21 Nov 08:57Z did not find it" in out
    assert "by 29 looks, this the last of them" in out
    assert ["first seen", "seen", "acknowledged"] == [row["kind"] for row in rows]


@pytest.mark.parametrize("code", ["tlsrpt-gone", "MX-CERTIFICATE-EXPIRING", BLOCKED])
def test_findings_are_explained(place: Place, code: str) -> None:
    """`explain CODE`, as for result types."""
    out = place("explain", code).out

    assert out.startswith(code.lower())
    assert "\nMEND IT\n" in out
    assert "MEND IT" in place("explain", code.lower()).out
    assert f"{code.lower():<28}  check" in place("explain").out


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("tlsrpt-gonne", "tlsrpt-gone"), ("Certificate-Expried", "certificate-expired")],
)
def test_a_slip_in_a_code_is_answered_with_the_code(place: Place, slip: str, meant: str) -> None:
    """It is not explained at length as something that no program knows; what is like none is."""
    result = place("explain", slip)

    assert (0, 2) == (result.code, len(result.out.splitlines()))
    assert f"Did you mean {meant}?\ntlsrpt-mailer explain {meant}\n" in result.out
    assert "EFFECT ON MAIL" in place("explain", "flux-capacitor-failure").out


def test_sessions_are_counted_by_one_round(full: Place) -> None:
    """Until they are added up nothing is made up: null, a dash, and a word that it is so."""
    before = full("domains", "--json").json
    listed, shown = full("domains").out, full("domains", "show", "example.com").out

    assert {(None, None, None)} == {
        (one["sessions"], one["failed_sessions"], one["reporters"]) for one in before
    }
    assert "Sessions of 3 domains are not counted yet: the daemon does it within minutes." in listed
    assert "sessions not counted yet" in shown
    full("once")
    after = {one["domain"]: one["sessions"] for one in full("domains", "--json").json}
    assert None not in after.values()
    assert "not counted" not in full("domains").out + full("domains", "show", "example.com").out


def test_a_long_listing_leaves_garbage_collection_as_it_was(looked: Place) -> None:
    """It is only put off: a program that calls it goes on as before."""
    assert 0 == looked("domains", "--json").code

    assert gc.isenabled()
    gc.disable()
    try:
        with inventory.uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
