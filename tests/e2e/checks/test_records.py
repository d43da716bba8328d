"""
Every mistake in a TLSRPT record that was seen in the wild, in a real zone, and its mend there.

What the check prints to be published is put into the zone as it stands; a second
look then finds nothing.
"""

from collections.abc import Iterable

import pytest

from tests.cli.conftest import Place
from tests.domains.records import CASES, OURS, RIGHT, RIGHT_ONES, Case
from tests.mails import Json
from tests.servers.land import Land, txt
from tlsrpt_mailer.domains.record import wrong_places

pytestmark = pytest.mark.servers

ZONE = "slips.example"
BAD = [one for one in CASES if one.codes]

PIECES = {
    "hole": (("v=TLSRPTv1; rua=mailto:tlsrpt@exam", " ple.com"), "tlsrpt-invalid"),
    "seam": (("v=TLSRPTv1;", "rua=mailto:tls", "rpt@example.com"), None),
    "blank-at-seam": (("v=TLSRPTv1 ", "; rua=mailto:tlsrpt@example.com"), "tlsrpt-risky"),
    "no-blank": (("v=TLSRPTv1", "rua=mailto:tlsrpt@example.com"), "tlsrpt-invalid"),
    "comma-lost": (
        ("v=TLSRPTv1; rua=mailto:a@one.example", "mailto:tlsrpt@example.com"),
        "tlsrpt-invalid",
    ),
    "empty": (("",), "tlsrpt-missing"),
    "long": ((RIGHT[:40], RIGHT[40:], *(f"; n{at}={'x' * 200}" for at in range(3))), None),
}
"""By name: the strings of one record, and what is found."""


MX = "MX 10 mx.example."


def _zone(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _slips(cases: list[Case]) -> dict[str, str]:
    """By the name of a domain the lines that publish the records of a case."""
    return {
        f"d{at}": _zone(f"d{at} {MX}", *(txt(f"_smtp._tls.d{at}", text) for text in one.texts))
        for at, one in enumerate(cases)
    }


def _mended(names: Iterable[str], lines: Iterable[str]) -> str:
    """The zone in which nothing but *lines* stands, beside the MX records."""
    return _zone(*(f"{name} {MX}" for name in names), *lines)


def _found(place: Place, names: Iterable[str], code: int) -> dict[str, list[Json]]:
    """What a check finds of each, notes left out."""
    result = place("check", "--json", *(f"{name}.{ZONE}" for name in names), now=None)
    assert code == result.code, result.err
    return {
        one["domain"].removesuffix(f".{ZONE}"): [
            each for each in one["findings"] if each["severity"] != "note"
        ]
        for one in result.json
    }


def _codes(found: dict[str, list[Json]]) -> dict[str, list[str]]:
    return {name: sorted(one["code"] for one in some) for name, some in found.items()}


def _well(names: Iterable[str]) -> dict[str, list[Json]]:
    """Nothing is found of any of them."""
    return {name: [] for name in names}


@pytest.fixture
def checked(place: Place, ground: Land) -> Place:
    place.configure(ground.settings(f'rua = ["{OURS}"]'))
    return place


def test_every_mistake_is_found_and_its_mend_passes(checked: Place, ground: Land) -> None:
    """
    Each record of the table is published, found wrong as the table has it, and well once the
    lines that the check prints stand in the zone in its place.
    """
    slips = _slips(BAD)
    ground.change(ZONE, _zone(*slips.values()))

    found = _found(checked, slips, 1)
    assert {name: list(one.codes) for name, one in zip(slips, BAD, strict=True)} == _codes(found)
    ground.change(
        ZONE, _mended(slips, (line for some in found.values() for line in some[0]["lines"]))
    )

    assert _well(slips) == _found(checked, slips, 0)


def test_record_prints_what_the_check_proposes(checked: Place, ground: Land) -> None:
    """
    `record` reads the same slips, prints the same lines, and knows its own work again: each
    is right once it is published.
    """
    slips = _slips(BAD)
    ground.change(ZONE, _zone(*slips.values()))
    proposed = [some[0]["facts"]["line"] for some in _found(checked, slips, 1).values()]
    names = [f"{name}.{ZONE}" for name in slips]

    printed = checked("record", *names, now=None)
    assert (0, proposed) == (printed.code, printed.out.splitlines())
    ground.change(ZONE, _mended(slips, proposed))

    again = checked("record", "--json", *names, now=None).json
    assert [True] * len(names) == [one["is_right"] for one in again]
    assert proposed == [one["zone_line"] for one in again]


def test_what_is_right_is_left_alone(checked: Place, ground: Land) -> None:
    """Blanks where the grammar has them, other kinds of TXT beside it, fields of later versions."""
    slips = _slips(RIGHT_ONES)
    ground.change(ZONE, _zone(*slips.values()))

    assert _well(slips) == _found(checked, slips, 0)


def test_strings_of_one_record_are_put_together_as_they_are(checked: Place, ground: Land) -> None:
    """A record in pieces is right where no blank is lost, nor one too many, at the seams."""
    slips = {name: txt(f"_smtp._tls.{name}", *one) for name, (one, _) in PIECES.items()}
    ground.change(ZONE, _mended(slips, slips.values()))

    found = _found(checked, slips, 1)
    assert {name: [code] if code else [] for name, (_, code) in PIECES.items()} == _codes(found)
    lines = [some[0]["facts"]["line"] if some else slips[name] for name, some in found.items()]
    ground.change(ZONE, _mended(slips, lines))

    assert _well(slips) == _found(checked, slips, 0)


def test_a_record_at_the_wrong_name_is_found_there(checked: Place, ground: Land) -> None:
    """
    Eight names where people put it, the domain itself and a zone name added twice among
    them; with the record at the right name the stray one does no harm.
    """
    places = dict(enumerate(wrong_places(f"d0.{ZONE}")))
    assert 8 == len(places)
    strays = {
        f"d{at}": txt(wrong_places(f"d{at}.{ZONE}")[at] + ".", RIGHT.replace("tlsrpt@", "old@"))
        for at in places
    }
    ground.change(ZONE, _mended(strays, strays.values()))

    found = _found(checked, strays, 1)
    assert {name: ["tlsrpt-misplaced"] for name in strays} == _codes(found)
    names = [some[0]["facts"]["wrong_name"] for some in found.values()]
    assert [wrong_places(f"d{at}.{ZONE}")[at] for at in places] == names
    lines = [some[0]["facts"]["line"] for some in found.values()]
    assert all(f"rua=mailto:old@example.com,{OURS}" in line for line in lines)
    ground.change(ZONE, _mended(strays, [*strays.values(), *lines]))

    assert _well(strays) == _found(checked, strays, 0)


def test_a_record_behind_an_alias_counts(checked: Place, ground: Land) -> None:
    """Hosted services have it so; an alias that leads nowhere is as no record."""
    hosted = ("_smtp._tls.d0 CNAME hosted", txt("hosted", RIGHT), "_smtp._tls.d1 CNAME nowhere")
    ground.change(ZONE, _mended(["d0", "d1"], hosted))

    found = _found(checked, ["d0", "d1"], 1)
    assert {"d0": [], "d1": ["tlsrpt-missing"]} == _codes(found)
    ground.change(ZONE, _mended(["d0", "d1"], [*hosted[:2], *found["d1"][0]["lines"]]))

    assert {"d0": [], "d1": []} == _found(checked, ["d0", "d1"], 0)


def test_a_destination_that_takes_no_mail_is_named(checked: Place, ground: Land) -> None:
    """A null MX, or neither MX nor address; over once that domain takes mail."""
    rua = f"v=TLSRPTv1; rua={OURS},mailto:a@null.{ZONE},mailto:b@void.{ZONE}"
    slip = (txt("_smtp._tls.d0", rua), "null MX 0 .")
    ground.change(ZONE, _mended(["d0"], slip))

    (one,) = _found(checked, ["d0"], 1)["d0"]
    assert ("tlsrpt-rua-unreachable", f"a@null.{ZONE}, b@void.{ZONE}") == (
        one["code"],
        one["facts"]["addresses"],
    )
    ground.change(ZONE, _mended(["d0", "null"], (slip[0], "void A 192.0.2.1")))

    assert {"d0": []} == _found(checked, ["d0"], 0)


def test_a_record_that_cannot_be_believed_is_not_taken_for_a_missing_one(
    checked: Place, ground: Land
) -> None:
    """A zone whose keys do not fit its parent: nothing is proposed, until they do again."""
    domain = "bogus.example"
    ground.root.sign(domain, rightly=False)
    ground.change(domain, f"@ {MX}\n{txt('_smtp._tls', RIGHT)}\n")

    result = checked("check", "--json", domain, now=None)
    printed = checked("record", domain, now=None)
    assert 69 == result.code
    found = {one["code"]: one for one in result.json[0]["findings"]}
    assert {"dane-bogus", "tlsrpt-trouble", "mta-sts-trouble"} == set(found)
    assert "DNSSEC" in found["tlsrpt-trouble"]["what"]
    assert (69, "") == (printed.code, printed.out)
    ground.root.sign(domain, rightly=True)
    ground.resolver.forget()

    assert 0 == checked("check", domain, now=None).code
