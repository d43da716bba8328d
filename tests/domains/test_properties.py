"""What holds for any record, and for any list of domains."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from tlsrpt_mailer.domains.ours import Addresses, Ours, judge_record
from tlsrpt_mailer.domains.record import parse_record
from tlsrpt_mailer.report.model import Policy

labels = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
names = st.lists(labels, min_size=2, max_size=4).map(".".join)
locals_ = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
addresses = st.tuples(locals_, names).map(lambda pair: f"{pair[0]}@{pair[1]}")
pieces = st.sampled_from(
    [b"v=TLSRPTv1", b";", b"rua=", b"mailto:", b"https:", b",", b"a@b.example", b"!", b"%", b"?"]
)
records = st.one_of(st.binary(max_size=80), st.lists(pieces, max_size=12).map(b"".join))


@given(st.lists(records, max_size=3))
def test_no_record_makes_it_raise(texts: list[bytes]) -> None:
    """DNS carries whatever a stranger wrote; it is read, judged and said in words."""
    record = parse_record(texts)

    is_ours, said = judge_record(record, Addresses(["tlsrpt@example.com"]))
    assert said
    assert not is_ours or record.text is not None
    assert all(uri.lower().startswith(("mailto:", "https:")) for uri in record.rua)


@given(st.lists(addresses, min_size=1, max_size=5, unique=True), st.booleans())
def test_each_address_of_a_right_record_is_found(given_: list[str], spaced: bool) -> None:
    """However odd the local part, encoded as the RFC wants it, it is read as it was."""
    between = b" , " if spaced else b","
    rua = between.join(b"mailto:" + quote(one, safe="@").encode() for one in given_)

    record = parse_record([b"v=TLSRPTv1; rua=" + rua + b";"])

    assert () == record.problems
    assert tuple(dict.fromkeys(given_)) == record.addresses
    assert (True, f"its record sends reports to {given_[-1]}") == judge_record(
        parse_record([b"v=TLSRPTv1; rua=mailto:" + quote(given_[-1], safe="@").encode()]),
        Addresses(given_),
    )


@given(st.lists(names, max_size=20), st.lists(names, max_size=20), names)
def test_ours_is_what_is_named_or_lies_below(plain: list[str], above: list[str], name: str) -> None:
    """The quick look-up says what going through the list by hand says."""
    ours = Ours([*plain, *(f"*.{one}" for one in above), "no.such"])
    by_hand = name in plain or any(name.endswith(f".{one}") for one in above)

    assert ("ours" if by_hand else "foreign") == ours.ownership(Policy("sts", name))
