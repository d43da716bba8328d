"""Damaged, hostile and foreign JSON."""

import pytest

from tests.mails import detail, document, report
from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.report import decode as decoding
from tlsrpt_mailer.report.decode import Decoded, DocumentLimits, decode, digest_of
from tlsrpt_mailer.report.parse import digest, parse

GOOD = document(report())
MENDED = "characters that are not valid JSON or UTF-8 were replaced"
BEHIND = "something stands behind the JSON object"


@pytest.mark.parametrize(
    ("text", "name", "notes"),
    [
        (b"\xef\xbb\xbf%s", "x", ("begins with a byte order mark",)),
        (b"%s\r\n", "x", ()),
        (b"%s\0\0", "x", (BEHIND,)),
        (b"%s trailing", "x", (BEHIND,)),
        (b"%s", "a\\ud800b", (MENDED,)),
        (b"%s", "a\\udc00b", (MENDED,)),
        (b"%s", "a\\ud800\\ud83d\\ude00b", (MENDED,)),
        (b"%s \xff", "a\\ud800", (MENDED, BEHIND)),
        (b"%s", "\\\\ud800", ()),
        (b"%s", "\xe9".encode("latin-1"), (MENDED,)),
        (b"%s", "a\nb\x00", (MENDED,)),
        (b"%s", "\\u0000", ()),
    ],
)
def test_harmless_damage_is_mended(text, name, notes):
    """A report is not lost over a byte; what was mended is noted, and the bytes are kept."""
    name = name if isinstance(name, bytes) else name.encode()
    body = text.replace(b"%s", GOOD.replace(b"Google Inc.", name))

    found = decode(body, DocumentLimits())

    assert notes == found.notes
    assert parse(body).policies == parse(GOOD).policies
    assert parse(body).organization_name is not None


def test_duplicate_keys_are_no_matter():
    """The last of two members with one name counts."""
    body = GOOD.replace(
        b'{"organization-name"', b'{"report-id":"a","report-id":"b","organization-name"'
    )

    assert parse(body.replace(b'"report-id":"2026', b'"other":"2026')).report_id == "b"


def test_reports_behind_one_another():
    """The first object counts, and what stands behind it is handed on."""
    found = decode(GOOD + b"\n" + GOOD + b"\0 \n", DocumentLimits())

    assert GOOD == found.json.strip()
    assert GOOD == found.rest


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "input data was truncated"),
        (GOOD[:-5], "input data was truncated"),
        (b"{'policies': []}", "object keys must be strings"),
        (b'{"policies":NaN}', "invalid character"),
        (b'{"policies":1e400}', "out of range"),
        (b'{"policies":' + b"9" * 5000 + b"}", "out of range"),
        (b'{"policies":' + b"[" * 100_000, "nested too deeply"),
        (b'{"x":\x00,"policies":' + b"[" * 100_000, "not JSON"),
        (b'{"policies":"\xff",}', "trailing comma"),
        (b'{"policies":"\x01"\x02,}', "trailing comma"),
        ('{"policies":[]}'.encode("utf-16"), "UTF-16"),
        ('{"policies":[]}'.encode("utf-32"), "UTF-16 or UTF-32"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(body, reason):
    """The reason in the quarantine says what is wrong with the bytes."""
    with pytest.raises(BadReport, match=reason):
        decode(body, DocumentLimits())


def test_structural_bytes_are_counted_before_decoding():
    """A document made to become a million objects is refused while it is still bytes."""
    body = b'{"policies":[' + b"[]," * 200_000 + b"[]]}"

    with pytest.raises(BadReport, match="more than 400000 structural characters"):
        decode(body, DocumentLimits())


def test_a_long_document_of_few_objects_is_read():
    """Only objects and arrays count against that limit, not the length."""
    body = b'{"policies":[],"x":"' + b"a" * 5_000_000 + b'"}'

    assert parse(body).policies == ()


@pytest.mark.parametrize(
    "text",
    [
        b'"' + "\N{GRINNING FACE}".encode() + b"a" * 5_000_000 + b'"',
        b'"' + "\N{GRINNING FACE}".encode() * 100 + b'",' + b'"aaaaaaaaaaaaaa",' * 300_000 + b'""',
        b'"' + b"\\u1234" * 900_000 + b'"',
        b'"\\u1234",' + b'""' * 2_500_000,
    ],
)
def test_large_documents_with_wide_strings_are_refused(text):
    """One emoji in a string of 16 MiB would take 64 MiB: no mail may do that."""
    body = b'{"policies":[%s]}' % text

    with pytest.raises(BadReport, match="outside ASCII"):
        decode(body, DocumentLimits())


def test_large_documents_with_a_name_outside_ascii_are_read():
    """A sender with an umlaut in its name may have much to say."""
    body = '{{"organization-name":"Müller","policies":[],"x":[{}""]}}'.format(
        '"aaaaaaaaaaaaaa",' * 300_000
    )

    found = decode(body.encode(), DocumentLimits())

    assert found.value["organization-name"] == "Müller"


def test_large_documents_are_not_mended():
    """The search for damage ends at a mebibyte: past it, damaged JSON is refused at once."""
    body = b'{"policies":[],"x":"' + b"a" * 2_000_000 + b'\xff"}'

    with pytest.raises(BadReport, match="not JSON"):
        decode(body, DocumentLimits())


def test_the_digest_of_a_large_document_is_that_of_its_canonical_json(monkeypatch):
    """Large reports are digested piece by piece, to the same digest."""
    body = report(details=[detail(failed=count, x=[], y={}) for count in range(50)])
    body |= {"empty": {}, "list": [[], [1, "ä", None, 1.5, True]], "many": list(range(40))}
    body |= {"long": ["ä" * 200_000, 'a"' * 200_000]}
    whole = digest(document(body))

    monkeypatch.setattr(decoding, "_WHOLE", 100)

    assert whole == digest(document(body))


def test_nesting_that_can_be_read_but_not_written_is_refused():
    """The digest of a document that is too deep ends in a reason, not in a crash."""
    value: list[object] = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(BadReport, match="nested too deeply"):
        digest_of(Decoded({"policies": value}, b"", b"", ()))
