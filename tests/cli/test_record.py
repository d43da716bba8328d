"""`record`: the exact TXT record to publish, by what stands in a real DNS."""

import pytest

from tests.cli.conftest import Place
from tests.cli.outside import RIGHT, RUA, sees
from tests.cli.test_json import keys
from tests.ports import free_port
from tests.servers.land import Land
from tlsrpt_mailer.domains.record import parse_record

pytestmark = pytest.mark.servers

OURS = '[[domains]]\nmatch = ["example.com", "gap.example", "slip.example", "parked.example"]\n'


@pytest.fixture
def seeing(place: Place, land: Land) -> Place:
    sees(place, land, OURS)
    return place


def line(domain: str, text: str, ttl: str = "") -> str:
    return f'_smtp._tls.{domain}. {ttl}IN TXT "{text}"\n'


def test_a_domain_without_a_record_gets_one(seeing: Place) -> None:
    """As a line of a zone file, on standard output alone, so that it can be appended to one."""
    result = seeing("record", "GAP.example.", now=None)

    assert (0, line("gap.example", RIGHT), "") == (result.code, result.out, result.err)


@pytest.mark.parametrize(
    ("domain", "uris"),
    [
        ("stranger.example", ["mailto:tls@stranger.example", RUA]),
        ("service.example", ["https://reports.service.example/v1", RUA]),
        ("two.example", ["mailto:a@stranger.example", "mailto:b@stranger.example", RUA]),
        ("slip.example", [RUA]),
        ("hostile.example", [RUA]),
    ],
)
def test_who_gets_reports_now_goes_on_getting_them(
    seeing: Place, domain: str, uris: list[str]
) -> None:
    """Other mailboxes, a service by https:, the addresses of two records: all in one record."""
    result = seeing("record", domain, now=None)

    assert 0 == result.code
    assert line(domain, f"v=TLSRPTv1; rua={','.join(uris)}") == result.out
    assert tuple(uris) == parse_record([result.out.split('"')[1]]).rua
    assert f"; _smtp._tls.{domain} has this now: " in result.err
    assert all(char.isprintable() for char in result.err.replace("\n", ""))


def test_a_cname_in_the_way_is_said(seeing: Place) -> None:
    """No zone takes a TXT record beside it."""
    result = seeing("record", "aliased.example")

    assert result.out.startswith("_smtp._tls.aliased.example. IN TXT ")
    assert "_smtp._tls.aliased.example is an alias (CNAME) of _smtp._tls.stranger" in result.err


def test_what_is_right_already_is_said_to_be(seeing: Place) -> None:
    """The line is printed all the same; nobody need publish it."""
    result = seeing("record", "example.com", now=None)

    assert (0, line("example.com", RIGHT)) == (result.code, result.out)
    assert "; example.com has it already\n" == result.err


def test_a_second_record_beside_the_right_one_is_no_rest(seeing: Place) -> None:
    """Some senders count it, so the line is to replace both."""
    (one,) = seeing("record", "--json", "second.example", now=None).json

    assert (RIGHT, False, 2) == (one["text"], one["is_right"], len(one["there_now"]))


def test_another_destination_by_the_command_line(seeing: Place) -> None:
    """A bare address is meant as mailto:; the configuration's own is left out then."""
    result = seeing(
        "record", "--rua", "new@example.com", "--rua", "https://r.example/", "--ttl", "300",
        "stranger.example", "gap.example", now=None,
    )  # fmt: skip

    both = "mailto:new@example.com,https://r.example/"
    assert 0 == result.code
    assert (
        line("stranger.example", f"v=TLSRPTv1; rua=mailto:tls@stranger.example,{both}", "300 ")
        + line("gap.example", f"v=TLSRPTv1; rua={both}", "300 ")
    ) == result.out
    for wrong in ("http://r.example/", "nobody", "mailto:", "mailto:a@b@c.example"):
        refused = seeing("record", "--rua", wrong, "gap.example", now=None)
        assert (64, "") == (refused.code, refused.out), wrong


def test_programs_read_the_keys_of_the_page(seeing: Place) -> None:
    """What to publish in parts, for the form of a provider or an API."""
    result = seeing(
        "record", "--json", "--ttl", "3600", "stranger.example", "example.com", now=None
    )

    assert 0 == result.code
    first, second = result.json
    assert keys("record") == list(first) == list(second)
    assert {
        "domain": "stranger.example",
        "name": "_smtp._tls.stranger.example",
        "type": "TXT",
        "ttl": 3600,
        "text": f"v=TLSRPTv1; rua=mailto:tls@stranger.example,{RUA}",
        "zone_line": line(
            "stranger.example", f"v=TLSRPTv1; rua=mailto:tls@stranger.example,{RUA}", "3600 "
        ).rstrip(),
        "there_now": ["v=TLSRPTv1; rua=mailto:tls@stranger.example"],
        "is_right": False,
    } == first
    assert (True, [RIGHT]) == (second["is_right"], second["there_now"])


def test_a_domain_that_takes_no_mail_is_said_to_need_none(seeing: Place) -> None:
    """The record is printed for who wants it all the same; the word stands beside it."""
    result = seeing("record", "parked.example", "gap.example", now=None)

    assert 0 == result.code
    assert 2 == len(result.out.splitlines())
    assert "; parked.example takes no mail (null MX), so it needs no record\n" == result.err


def test_the_gaps_of_one_group_are_closed_by_themselves(place: Place, land: Land) -> None:
    """As `domains gaps` narrows them, with and without a database; names are not narrowed."""
    blocks = "".join(
        f'[[domains]]\nmatch = ["{group}.example"]\ngroup = "{group}"\n'
        for group in ("gap", "slip")
    )
    sees(place, land, blocks)

    before = place("record", "--all-gaps", "--group", "gap", now=None)
    assert 0 == place("once", now=None).code
    after = place("record", "--all-gaps", "--group", "gap", now=None)
    wrong = place("record", "--all-gaps", "--group", "gpa", now=None)
    gaps = place("domains", "gaps", "--group", "slip", now=None)

    assert line("gap.example", RIGHT) == before.out == after.out
    assert (1, "") == (wrong.code, wrong.out)
    assert 64 == place("record", "gap.example", "--group", "gap", now=None).code
    assert 0 == gaps.code  # not looked at
    assert 1 == place("check", now=None).code
    assert "What to publish: tlsrpt-mailer record --all-gaps --group slip\n" in (
        place("domains", "gaps", "--group", "slip", now=None).out
    )


def test_offline_nobody_is_asked(seeing: Place, land: Land) -> None:
    """What stands there is unknown then, so nothing of it is kept."""
    settings = land.settings(f'rua = ["{RUA}"]')
    seeing.configure(settings.replace(land.resolver.address, f"127.0.0.1:{free_port()}"))

    result = seeing("record", "--offline", "stranger.example", now=None)

    assert (0, line("stranger.example", RIGHT), "") == (result.code, result.out, result.err)


def test_while_dns_does_not_answer_nothing_is_proposed(seeing: Place) -> None:
    """A record that drops who gets reports now would do harm; the way out is named."""
    result = seeing("record", "gap.example", "bogus.example", now=None)

    assert (69, "") == (result.code, result.out)
    assert "DNS does not answer for _smtp._tls.bogus.example: " in result.err
    assert "Without knowing what stands there: --offline" in result.err


def test_without_an_address_there_is_no_record(place: Place, land: Land) -> None:
    """The configuration says none, and no source has one: what to say is said."""
    sees(place, land, checks="")
    result = place("record", "gap.example", now=None)
    assert (78, "") == (result.code, result.out)
    assert "[checks] rua" in result.err

    lmtp = f'[[source]]\nkind = "lmtp"\nlisten = "127.0.0.1:{free_port()}"\n'
    sees(place, land, f'{lmtp}recipients = ["in@example.com"]\n', checks="")

    assert line("gap.example", "v=TLSRPTv1; rua=mailto:in@example.com") == (
        place("record", "gap.example", now=None).out
    )


def test_all_gaps_are_closed_by_one_file(seeing: Place) -> None:
    """
    Every domain of ours that takes mail and has no right record, and no other; before the first
    start too.
    """
    gaps = ["gap.example", "slip.example"]
    before = seeing("record", "--all-gaps", now=None)
    assert not seeing.database.exists()
    assert 0 == seeing("once", now=None).code
    assert 1 == seeing("check", now=None).code

    result = seeing("record", "--all-gaps", now=None)

    assert gaps == sorted(one["domain"] for one in seeing("domains", "gaps", "--json").json)
    for one in (before, result):
        assert 0 == one.code
        assert [line(name, RIGHT) for name in gaps] == sorted(one.out.splitlines(keepends=True))
        assert "slip.example has this now: v=TSLRPTv1" in one.err
    assert 64 == seeing("record", "--all-gaps", "gap.example", now=None).code
    assert 64 == seeing("record", now=None).code
