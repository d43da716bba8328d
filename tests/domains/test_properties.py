"""What holds for anything that a domain may publish, and for any list of domains."""

import re
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from tests.domains import hostile
from tests.domains.records import OURS
from tests.domains.sights import NOW
from tlsrpt_mailer.domains import dane, sts
from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.drift import changes, merge, notes
from tlsrpt_mailer.domains.examine import examine
from tlsrpt_mailer.domains.expected import Expected
from tlsrpt_mailer.domains.finding import WEIGHTS
from tlsrpt_mailer.domains.ours import Ours, judge_record
from tlsrpt_mailer.domains.record import is_meant, led_to, mended, parse_record, zone_line
from tlsrpt_mailer.report.model import Policy

labels = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
names = st.lists(labels, min_size=2, max_size=4).map(".".join)
locals_ = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
addresses = st.tuples(locals_, names).map(lambda pair: f"{pair[0]}@{pair[1]}")
records = st.lists(st.one_of(st.binary(max_size=80), hostile.texts), max_size=3)


@given(records)
def test_no_record_makes_it_raise(texts: list[bytes | str]) -> None:
    """DNS carries whatever a stranger wrote; it is read, judged and said in words."""
    record = parse_record(texts)

    is_ours, said = judge_record(record, Addresses(["tlsrpt@example.com"]))
    assert said
    assert not is_ours or record.text is not None
    assert all(uri.lower().startswith(("mailto:", "https:")) for uri in record.rua)
    assert all(record.problems)
    assert not record.is_valid or record.rua


def written(address: str) -> bytes:
    """The address as a URI: what is special in a local part is encoded (RFC 6068, 2)."""
    local, _, domain = address.rpartition("@")
    return f"mailto:{quote(local, safe='')}@{domain}".encode()


@given(st.lists(addresses, min_size=1, max_size=5, unique=True), st.booleans())
def test_each_address_of_a_right_record_is_found(given_: list[str], spaced: bool) -> None:
    """However odd the local part, encoded as the RFC wants it, it is read as it was."""
    between = b" , " if spaced else b","
    rua = between.join(map(written, given_))

    record = parse_record([b"v=TLSRPTv1; rua=" + rua + b";"])

    assert () == record.problems
    assert tuple(dict.fromkeys(given_)) == record.addresses
    assert (True, f"its record sends reports to {given_[-1]}") == judge_record(
        parse_record([b"v=TLSRPTv1; rua=" + written(given_[-1])]),
        Addresses(given_),
    )


@given(records, st.sampled_from([(OURS,), ("mailto:x@y.example", OURS), ("https://r.example/",)]))
def test_what_is_proposed_is_always_right(texts: list[bytes | str], ours: tuple[str, ...]) -> None:
    """Whatever stood there: the record to publish is valid, leads to us, and is safe to paste."""
    text = mended(texts, ours)
    record = parse_record([text])

    assert () == record.flaws
    assert led_to(record, Addresses(["tlsrpt@example.com"]), ours)
    assert re.fullmatch(r"[ !#-\[\]-~]+", text)
    assert not set("$`'<>|\\") & set(text)
    assert text == mended([text], ours)
    assert zone_line("shop.example", text).isascii()


@given(st.lists(addresses, min_size=1, max_size=5))
def test_no_address_is_lost_by_mending(given_: list[str]) -> None:
    """Who publishes what is proposed goes on getting reports where they went before."""
    right = parse_record(["v=TLSRPTv1; rua=" + ",".join(f"mailto:{quote(a)}" for a in given_)])
    after = parse_record([mended(right, [OURS])])

    assert {one.lower() for one in right.addresses} <= {one.lower() for one in after.addresses}


@given(hostile.texts)
def test_no_policy_and_no_tlsa_record_makes_it_raise(text: str) -> None:
    """What the web server gives out is a stranger's too; what is proposed in its place is right."""
    policy = sts.parse_policy(text)
    record = sts.parse_sts([text])

    assert not policy.is_valid or (policy.mode is not None and policy.max_age is not None)
    assert () == sts.parse_policy(sts.policy_text("enforce", [text, *policy.mx])).flaws
    assert record.is_valid <= (record.id is not None)
    assert (dane.flaw_of(text) is None) == bool(dane.usable([text]))
    assert isinstance(is_meant(text), bool)


@given(st.lists(hostile.seen, max_size=4), hostile.rua)
def test_no_look_makes_it_raise(looks: list, rua: tuple[str, ...]) -> None:
    """Whatever strangers publish, a check ends, and says each thing once, the worst first."""
    known: dict = {}
    for look in looks:
        found = examine(look, Expected(now=NOW, rua=rua), list(known.values()))
        for row in merge(known.values(), look):
            known[row.kind, row.about, row.first_at] = row

        keys = [(one.code, one.mx) for one in found]
        assert len(keys) == len(set(keys))
        assert sorted(found, key=lambda one: WEIGHTS.index(one.weight)) == found
        assert all(type(value) is str and value for one in found for value in one.facts.values())
        assert set(notes(look)) <= {(kind, about) for kind, about, _ in known}
    assert all(one.old != one.new for one in changes(known.values(), 0, NOW))


@given(hostile.seen, hostile.seen, hostile.rua)
def test_the_same_look_finds_the_same(before, look, rua: tuple[str, ...]) -> None:
    """Nothing changes by itself: neither by a second check nor by what is remembered of one."""
    expected = Expected(now=NOW, rua=rua)
    known = merge([], before)
    once = examine(look, expected, known)
    rows = {(row.kind, row.about, row.first_at): row for row in [*known, *merge(known, look)]}

    assert once == examine(look, expected, known)
    if look.at > before.at:
        assert once == examine(look, expected, list(rows.values()))


@given(st.lists(names, max_size=20), st.lists(names, max_size=20), names)
def test_ours_is_what_is_named_or_lies_below(plain: list[str], above: list[str], name: str) -> None:
    """The quick look-up says what going through the list by hand says."""
    ours = Ours([*plain, *(f"*.{one}" for one in above), "no.such"])
    by_hand = name in plain or any(name.endswith(f".{one}") for one in above)

    assert ("ours" if by_hand else "foreign") == ours.ownership(Policy("sts", name))
