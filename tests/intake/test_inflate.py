"""Unpacking within limits."""

import gzip
import io
import os
import zipfile

import pytest

from tlsrpt_mailer.errors import BadReport, TooLarge
from tlsrpt_mailer.intake.inflate import gunzip, unzip

NOISE = os.urandom(200_000)


def packed(method: int = zipfile.ZIP_DEFLATED, **files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def unzipped(data: bytes, limit: int = 1_000, each: int = 1_000, most: int = 5) -> dict[str, bytes]:
    return dict(unzip(data, limit=limit, each=each, most=most))


def test_a_gzip_bomb_is_refused_before_it_unpacks():
    """
    A small attachment that unpacks to far more than the limit is refused,
    and the message names the limit.
    """
    bomb = gzip.compress(b"0" * 50_000_000)

    with pytest.raises(TooLarge, match="1048576 bytes"):
        gunzip(bomb, limit=1_048_576)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 100_000, NOISE])
@pytest.mark.parametrize("behind", [b"", b"\r\n", b"junk", b"\x1f\x8a"])
def test_gzip_of_any_size_with_anything_behind_it(content, behind):
    """What a gateway adds behind the data does not cost the report."""
    assert content == gunzip(gzip.compress(content) + behind, limit=200_000)


@pytest.mark.parametrize("content", [b"x", NOISE])
def test_several_members_are_one(content):
    """Data that was put together of several pieces is read to its end."""
    data = gzip.compress(content) + gzip.compress(b"y") + gzip.compress(content) + b"\n"

    assert content + b"y" + content == gunzip(data, limit=500_000)


def test_the_limit_is_the_last_size_that_passes():
    """Exactly the limit is fine, one byte more is not."""
    assert len(gunzip(gzip.compress(b"x" * 100), limit=100)) == 100
    with pytest.raises(TooLarge):
        gunzip(gzip.compress(b"x" * 101), limit=100)
    with pytest.raises(TooLarge):
        gunzip(gzip.compress(NOISE), limit=100_000)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "halfway"),
        (b"\x1f\x8b", "halfway"),
        (gzip.compress(NOISE)[:-1], "halfway"),
        (gzip.compress(b"x") + gzip.compress(b"y")[:10], "halfway"),
        (gzip.compress(b"x")[:-8] + b"12345678", "damaged"),
        (gzip.compress(NOISE)[:-8] + b"12345678", "damaged"),
        (b"no gzip at all", "damaged"),
        (gzip.compress(b"") * 101, "more than 100 gzip members"),
    ],
)
def test_gzip_that_cannot_be_read(data, reason):
    """Damaged data is refused in words."""
    with pytest.raises(BadReport, match=reason):
        gunzip(data, limit=1_000_000)


def test_a_zip_is_unpacked():
    """All files come out with their names; folders do not."""
    assert unzipped(packed(**{"a": b"1", "dir/": b"", "dir/b": b"2"})) == {"a": b"1", "dir/b": b"2"}


@pytest.mark.parametrize(
    ("limit", "each", "named"), [(150, 1_000, "150"), (1_000, 50, "50"), (99, 99, "99")]
)
def test_a_zip_that_unpacks_to_too_much(limit, each, named):
    """Neither one file nor all together may pass their limits."""
    with pytest.raises(TooLarge, match=f"larger than {named} bytes"):
        unzipped(packed(a=b"x" * 100, b=b"y" * 100), limit=limit, each=each)


def test_a_zip_of_too_many_files():
    """The files up to the limit are handed out before it is refused."""
    taken = []
    with pytest.raises(BadReport, match="more than 2 files"):
        taken += unzip(packed(a=b"1", b=b"2", c=b"3"), limit=10, each=10, most=2)
    files = unzip(packed(a=b"1", b=b"2", c=b"3"), limit=10, each=10, most=2)

    assert [("a", b"1"), ("b", b"2")] == [next(files), next(files)]


def encrypted() -> bytes:
    data = bytearray(packed(a=b"x"))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    return bytes(data)


def unknown_method() -> bytes:
    data = bytearray(packed(a=b"x"))
    for mark, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(mark) + method] = 99
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04", "no directory"),
        (packed(**{str(number): b"" for number in range(1500)}), "a very large one"),
        (packed(a=b"x" * 50)[20:], "damaged"),
        (packed(a=b"x" * 50).replace(b"a", b"b", 1), "damaged"),
        (encrypted(), "cannot be unpacked"),
        (unknown_method(), "cannot be unpacked"),
    ],
)
def test_a_zip_that_cannot_be_read(data, reason):
    """Damaged, encrypted and hostile archives are refused in words."""
    with pytest.raises(BadReport, match=reason):
        unzipped(data)
