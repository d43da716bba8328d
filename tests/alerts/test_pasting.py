"""Lines that are to be pasted: folded as zone files allow it, and nothing else."""

import dns.zone
import pytest

from tests.domains.records import RIGHT
from tests.domains.sights import KEY
from tlsrpt_mailer.alerts.commands import ROOM
from tlsrpt_mailer.alerts.pasting import folded
from tlsrpt_mailer.domains.dane import tlsa_line
from tlsrpt_mailer.domains.record import txt_line, zone_line
from tlsrpt_mailer.domains.sts import policy_text

MANY = "v=TLSRPTv1; rua=" + ",".join(f"mailto:a{n}@some-vendor.example" for n in range(30))
BARE = "v=TLSRPTv1; rua=https://r.example/" + "a" * 400


def read(lines: list[str], name: str, kind: str):
    text = "\n".join(["$TTL 60", "@ IN SOA a. b. 1 1 1 1 1", "@ IN NS a.", *lines])
    return dns.zone.from_text(text, ".", relativize=False).get_rdataset(name, kind)


@pytest.mark.parametrize(
    "text", [RIGHT, MANY, BARE, "v=TLSRPTv1; rua=mailto:" + "a" * 60 + "@b.example"]
)
@pytest.mark.parametrize("domain", ["shop.example", "a" * 45 + ".example"])
def test_a_folded_record_says_the_same(text: str, domain: str):
    """Whoever pastes it into a zone publishes the very text."""
    lines = folded(zone_line(domain, text))

    assert lines is not None
    assert max(map(len, lines)) <= ROOM
    (record,) = read(lines, f"_smtp._tls.{domain}.", "TXT")
    assert text.encode() == b"".join(record.strings)


def test_a_line_that_fits_is_left_as_it_is():
    """A person copies one line where one will do."""
    line = txt_line("_mta-sts.shop.example", "v=STSv1; id=20261014T000000;")

    assert [line] == folded(line)
    assert [line, line] == folded(f"{line}\n{line}\n")


def test_addresses_are_not_cut_where_that_can_be_helped():
    """Who types a long record into a form can see where one address ends."""
    lines = folded(zone_line("shop.example", MANY))

    assert all(line.rstrip(" )").endswith((',"', 'example"')) for line in lines[1:])


@pytest.mark.parametrize("digits", [KEY, KEY * 2, "ab"])
def test_a_folded_hash_says_the_same(digits: str):
    """Whoever pastes it publishes the very hash."""
    line = tlsa_line("mx1.shop.example", digits).replace("3 1 1", "3 1 0")
    lines = folded(line)

    assert lines is not None
    assert max(map(len, lines)) <= ROOM
    (record,) = read(lines, "_25._tcp.mx1.shop.example.", "TLSA")
    assert digits == record.cert.hex()


def test_a_policy_is_shown_line_by_line():
    """The file can be served as it stands."""
    text = policy_text("enforce", ["mx1.shop.example", "*.mail.example"])

    assert text.splitlines() == folded(text)
    assert ["max_age: 604800"] == folded("max_age: 604800")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "rm -rf /",
        "mx: -x.example",
        "mx: a.example; id",
        "mx: " + "a." * 60 + "example",
        "mode: enforce; id",
        "max_age: 1e9",
        '_smtp._tls.shop.example. IN TXT "a$(id)"',
        '_smtp._tls.shop.example. IN TXT "a`id`"',
        '_smtp._tls.shop.example. IN TXT "a\\"b"',
        '_smtp._tls.shop.example. IN TXT "a" ; id',
        '_smtp._tls.shop.example. IN TXT "a"\nid',
        '_smtp._tls.sh op.example. IN TXT "a"',
        '_smtp._tls.$(id). IN TXT "a"',
        '_dmarc.shop.example. IN TXT "a"',
        '_smtp._tls.shop.example. IN TXT "\u00fc"',
        "_smtp._tls." + "a" * 60 + f'.example. IN TXT "{RIGHT}"',
        "_25._tcp.mx1.shop.example. IN TLSA 3 1 1 xyz",
        "_25._tcp.mx1.shop.example. IN TLSA 3 1 1 ab ; id",
        "_25._tcp.;id. IN TLSA 3 1 1 ab",
    ],
)
def test_anything_else_is_not_shown(line: str):
    """What is not wholly as it should be, or fits no width, is left to a command."""
    assert None is folded(line)
