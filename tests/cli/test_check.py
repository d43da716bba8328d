"""`check` against real name servers, a real policy host and a real MX."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from time import monotonic

import pytest
import trustme

from tests.cli.conftest import Place, Result
from tests.cli.outside import MX, RIGHT, sees
from tests.cli.test_json import keys
from tests.ports import free_port
from tests.servers.land import Land
from tests.servers.postfix import listener, postfix

pytestmark = pytest.mark.servers

OURS = '[[domains]]\nmatch = ["example.com", "gap.example", "slip.example"]\n'


@pytest.fixture
def seeing(place: Place, land: Land) -> Place:
    """A place without a database, whose domains are one that is right and two that are not."""
    sees(place, land, OURS)
    return place


def check(place: Place, *words: str) -> Result:
    """By the time of now: certificates and signatures go by it."""
    return place("check", *words, now=None)


def names(place: Place) -> list[str]:
    """The domains that somebody has looked at, as far as that is kept."""
    return [name for (name,) in place.select("SELECT domain FROM looks WHERE at > 0 ORDER BY 1")]


# ------------------------------------------------------------------------- text


def test_a_domain_that_is_right_is_said_so(seeing: Place) -> None:
    """Its state in a line, nothing to mend, exit code 0."""
    result = check(seeing, "Example.COM.")

    assert (0, "") == (result.code, result.err)
    assert (
        "example.com  record right, MTA-STS enforce, DANE none, MX mx1.example.com\n"
        "  nothing to mend\n\n"
    ) == result.out


def test_what_is_wrong_is_said_with_the_mend(seeing: Place) -> None:
    """What stands there, what it does to mail, the steps, and the line to paste; exit code 1."""
    result = check(seeing, "slip.example")

    assert 1 == result.code
    text = " ".join(result.out.split())
    assert result.out.startswith("slip.example  record broken, MTA-STS none, DANE none, MX mx.ex")
    assert "notice TLSRPT record broken slip.example has a TLSRPT record that is not" in text
    assert 1 == text.count('"v=TSLRPTv1; rua=mailto:tlsrpt@example.com"')
    assert "sends no reports. Mail itself is not touched by this." in text
    assert "1. Put the record below in its place." in text
    assert f'"{RIGHT}"' in text
    assert "dig +short TXT _smtp._tls.slip.example" in text


def test_notes_are_told_on_demand(seeing: Place) -> None:
    """Of one domain as of several what is to be mended is told, and how many notes there are."""
    several = check(seeing, "example.com", "gap.example", "example.com")
    noted = check(seeing, "--notes", "example.com", "gap.example")
    alone = check(seeing, "gap.example")

    assert [1, 1, 1] == [several.code, noted.code, alone.code]
    assert 1 == several.out.count("example.com  record right")
    assert "  gap  no TLSRPT record\n" in several.out
    for told in (several, alone):
        assert "no MTA-STS" not in told.out
        assert "  1 note: tlsrpt-mailer check --notes gap.example\n" in told.out
    assert "note  no MTA-STS" in noted.out
    assert "check --notes" not in noted.out


def test_of_many_domains_only_those_with_something_to_mend_are_told(seeing: Place) -> None:
    """What is wrong stands once, with how many and which; one of them alone is told in full."""
    right = [f"n{at}.many.example" for at in range(11)]

    result = check(seeing, *right, "slip.example")

    assert 1 == result.code
    assert "n1.many.example" not in result.out
    assert result.out.startswith("12 domains: 11 well, 1 with something to mend\n")
    assert "  notice        1  TLSRPT record broken: slip.example\n" in result.out
    assert "mend: put a valid TLSRPT record in its place" in result.out
    assert result.out.endswith("In full: tlsrpt-mailer check DOMAIN, or --json\n")
    assert check(seeing, *right[:9], "slip.example").out.startswith("n0.many.example  record ")


def test_of_many_domains_what_is_worst_and_most_frequent_stands_first(seeing: Place) -> None:
    """By weight, then by how many domains have it; each with whom it is about."""
    right = [f"n{at}.parked.example" for at in range(11)]

    result = check(
        seeing, *right, "gap.example", "slip.example", "stranger.example", "service.example"
    )

    labels = [line.split()[:2] for line in result.out.splitlines() if line[2:3].strip()]
    assert [["notice", "2"], ["notice", "1"], ["gap", "1"]] == [
        one for one in labels if one[0] in {"notice", "gap"}
    ]
    assert ": stranger.example and service.example" in " ".join(result.out.split())


def test_a_name_that_dns_does_not_know_is_said_so(seeing: Place) -> None:
    """A slip in a name is no domain that is well: exit code 1, alone and among many; a domain that
    takes no mail is one."""
    alone = check(seeing, "exampel.example")
    many = check(seeing, *(f"n{at}.many.example" for at in range(11)), "exampel.example")
    parked = check(seeing, "parked.example")
    listed = check(seeing, "--json", "exampel.example", "parked.example")

    missing = "no such domain, or one without MX, NS and address records"
    assert (1, 1, 0, 1) == (alone.code, many.code, parked.code, listed.code)
    assert alone.out.startswith(f"exampel.example  {missing}\n")
    assert "nothing to mend" not in alone.out
    assert f"{missing}: exampel.example" in " ".join(many.out.split())
    assert [False, True] == [one["in_dns"] for one in listed.json]


def test_what_is_pasted_begins_at_the_margin(seeing: Place) -> None:
    """In a zone file a line that begins with a blank speaks of the name above it."""
    out = check(seeing, "slip.example", "gap.example", "two.example").out

    starts = [line for line in out.splitlines() if " IN TXT " in line]
    assert 3 == len(starts)
    assert all(line.startswith("_smtp._tls.") for line in starts)


def test_a_record_is_shown_as_it_stands(seeing: Place) -> None:
    """On a terminal an address keeps its shape; each of several records has its line, once."""
    out = check(seeing, "two.example").out
    elsewhere = check(seeing, "service.example").out
    noted = check(seeing, "--json", "two.example").json[0]["findings"][0]["what"]

    assert (
        "    As they stand there:\n"
        '      "v=TLSRPTv1; rua=mailto:a@stranger.example"\n'
        '      "v=TLSRPTv1; rua=mailto:b@stranger.example"\n'
    ) in out
    assert 1 == out.count("rua=mailto:b@stranger.example")
    assert "sends the reports to\n    https://reports.service.example/v1, and" in elsewhere
    assert '"v=TLSRPTv1; rua=mailto:a@stranger.example" and "v=TLS' in noted


def test_what_strangers_publish_cannot_drive_a_terminal(seeing: Place) -> None:
    """Control characters are shown as such; and what is to be pasted is harmless in a shell."""
    result = check(seeing, "hostile.example")
    lines = check(seeing, "--json", "hostile.example").json[0]["findings"][0]["lines"]

    assert 1 == result.code
    assert result.out.isascii()
    assert all(char.isprintable() for char in result.out.replace("\n", ""))
    assert not any(char in line for line in lines for char in "$`\\")


# ------------------------------------------------------------------------- json


def test_programs_read_the_keys_of_the_page(seeing: Place) -> None:
    """One object a domain, in the order asked for, with what text says and the facts behind it."""
    result = check(seeing, "--json", "slip.example", "example.com", "parked.example")

    assert 1 == result.code
    first, second, third = result.json
    assert [keys("check")] * 3 == [list(one) for one in result.json]
    assert [keys("check finding")] * 2 == [list(one) for one in first["findings"]]
    assert ("slip.example", "broken", "none", "none", ["mx.example"], False) == tuple(
        first[key] for key in ("domain", "record_state", "mta_sts", "dane", "mx", "is_mx_host")
    )
    assert ("example.com", "right", "enforce", "20261014", []) == tuple(
        second[key] for key in ("domain", "record_state", "mta_sts", "mta_sts_id", "findings")
    )
    assert {"note"} == {one["severity"] for one in third["findings"]}
    assert abs(datetime.now(UTC) - datetime.fromisoformat(first["looked_at"])).seconds < 60
    finding = first["findings"][0]
    assert ("tlsrpt-invalid", "notice", None) == (
        finding["code"],
        finding["severity"],
        finding["mx"],
    )
    assert f'_smtp._tls.slip.example. IN TXT "{RIGHT}"' == finding["facts"]["line"]


# ------------------------------------------------------------------ what is kept


def test_without_a_database_it_works_and_keeps_nothing(seeing: Place) -> None:
    """It may be tried before anything is set up, and makes no files; without names too."""
    result = check(seeing, "--json")

    assert 1 == result.code
    assert ["example.com", "gap.example", "slip.example"] == [one["domain"] for one in result.json]
    assert not seeing.database.exists()


def test_without_a_database_or_domains_it_asks_for_a_name(place: Place, land: Land) -> None:
    """Nothing is known to be ours."""
    sees(place, land)

    result = check(place)

    assert 1 == result.code
    assert "no domain is known to be yours: name one, or say [[domains]]" in result.err


def test_what_is_found_of_ours_is_kept_and_of_others_is_not(seeing: Place) -> None:
    """Without names all of ours are looked at; a stranger's domain is only looked at."""
    assert 0 == seeing("once", now=None).code

    foreign = check(seeing, "stranger.example")
    assert 1 == foreign.code
    assert "the reports to tls@stranger.example, and not here" in " ".join(foreign.out.split())
    assert [] == names(seeing)
    assert 0 == check(seeing, "example.com").code
    assert ["example.com"] == names(seeing)
    assert 1 == check(seeing).code

    assert ["example.com", "gap.example", "slip.example"] == names(seeing)
    rows = {one["domain"]: one["state"] for one in seeing("domains", "--json", now=None).json}
    assert {
        "example.com": "published",
        "gap.example": "no-record",
        "slip.example": "record-broken",
    } == rows


def test_a_domain_of_others_leads_into_no_network_of_ours(place: Place, land: Land) -> None:
    """A policy host at a private address is fetched from for a domain that we named, only."""
    sees(place, land)
    others = check(place, "--json", "example.com").json[0]
    sees(place, land, OURS)
    named = check(place, "--json", "example.com").json[0]

    (found,) = [one for one in others["findings"] if one["code"].startswith("mta-sts-policy")]
    assert "no public address" in json.dumps(found["facts"])
    assert "enforce" == named["mta_sts"]


def test_dns_is_asked_no_faster_than_was_said(place: Place, land: Land) -> None:
    """`checks.queries_per_second` holds for a command as well, whoever serves the zones."""
    settings = land.settings()
    slow = settings.replace("= 100000", "= 10")
    assert slow != settings
    place.configure(slow + OURS)
    start = monotonic()

    check(place, "example.com", "gap.example", "slip.example")

    assert monotonic() - start >= 1.5


# --------------------------------------------------------------------- trouble


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_named_by_its_key(
    place: Place, land: Land, text: str | None
) -> None:
    """Who reads the error finds the line to mend, and the place that was looked at."""
    settings = land.settings().replace(str(land.policies.ca_file), "own/ca.pem")
    place.configure(settings + OURS)
    file = place.folder / "own/ca.pem"
    if text is not None:
        file.parent.mkdir()
        file.write_text(text)

    result = check(place, "--probe", "example.com")

    assert 78 == result.code
    assert f"tlsrpt-mailer: checks.ca_file: {file}: " in result.err


def test_dns_that_does_not_answer_is_69(seeing: Place, land: Land) -> None:
    """
    It is no verdict on the domain, neither 0 nor 1: nothing is kept, so nobody is told of domains
    when it is our resolver that is dead.
    """
    settings = land.settings().replace(land.resolver.address, f"127.0.0.1:{free_port()}")
    seeing.configure(settings.replace("[checks]", 'timeout = "1s"\n[checks]') + OURS)
    assert 0 == seeing("once", now=None).code

    result = check(seeing, "example.com")
    listed = check(seeing, "--json", "example.com")

    assert (69, 69) == (result.code, listed.code)
    assert "DNS does not answer here (" in result.err
    assert "[dns] nameservers, right?" in result.err
    assert ("", "") == (result.out, listed.out)
    assert [] == names(seeing)


def test_one_zone_in_trouble_is_no_trouble_of_dns(seeing: Place) -> None:
    """The others are told, and the code is theirs."""
    result = check(seeing, "--json", "bogus.example", "example.com")

    assert 1 == result.code
    assert [None, "right"] == [one["record_state"] for one in result.json]
    assert 69 == check(seeing, "bogus.example").code


@pytest.mark.parametrize("name", ["example", "a b.example", "-.example", "192.0.2.1", "x..y", "@"])
def test_what_is_no_domain_is_not_looked_up(seeing: Place, name: str) -> None:
    """A slip at the keyboard is said at once."""
    result = check(seeing, "--", name)

    assert 64 == result.code
    assert "is no domain name" in result.err


# ----------------------------------------------------------------------- probe


@pytest.fixture(scope="module")
def expired(land: Land, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The MX of example.com, with a certificate that ended."""
    pem, past = tmp_path_factory.mktemp("mx") / "mx.pem", datetime(2025, 1, 1, tzinfo=UTC)
    leaf: trustme.LeafCert = land.policies.ca.issue_cert(
        "mx1.example.com", not_before=past, not_after=past.replace(month=4)
    )
    leaf.private_key_and_cert_chain_pem.write_to_path(str(pem))
    with postfix(master=listener(MX, pem)):
        yield


def codes(result: Result) -> list[str]:
    return [one["code"] for one in result.json[0]["findings"]]


def test_mx_hosts_are_connected_to_only_on_demand(place: Place, land: Land, expired: None) -> None:
    """By --probe, or by the configuration unless --no-probe says otherwise."""
    checks = 'rua = ["mailto:tlsrpt@example.com"]\n'
    sees(place, land, OURS, checks)
    assert [] == codes(check(place, "--json", "example.com"))
    found = check(place, "--probe", "--json", "example.com")
    assert (1, ["mx-certificate-expired"]) == (found.code, codes(found))
    assert "critical" == found.json[0]["findings"][0]["severity"]
    sees(place, land, OURS, f"{checks}probe = true\n")
    assert codes(found) == codes(check(place, "--json", "example.com"))

    without = check(place, "--no-probe", "--json", "example.com")
    assert (0, []) == (without.code, codes(without))


def test_where_port_25_is_shut_nothing_is_said_of_mx_hosts(place: Place, land: Land) -> None:
    """Neither our MX nor those of others answer: that is the way from here."""
    checks = 'rua = ["mailto:tlsrpt@example.com"]\nprobe = true\ncontrol = ["mx.example"]\n'
    sees(place, land, OURS, checks)

    result = check(place, "gap.example")

    assert 1 == result.code
    assert "mx-unreachable" not in result.out
    assert "MX hosts that did not answer were not judged: mx.example (127." in result.out
