"""
Unpacking gzip and zip within limits of bytes.

zlib's own objects are used for gzip, as the gzip module stumbles over junk
behind the data (a CRLF that a relay added to a binary part is enough).
"""

import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

from tlsrpt_mailer.errors import BadReport, TooLarge

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"

WHAT = "what this unpacks to"

_STEP = 64 * 1024
_OUT_STEP = 256 * 1024
_MEMBERS_MOST = 100
_WITH_HEADER = 31

_ZIP_END = b"PK\x05\x06"
_ZIP_END_WITHIN = 66_000
"""The end record of a zip stands behind at most 65,535 bytes of comment."""
_ZIP_DIRECTORY_MOST = 64 * 1024
"""zipfile makes about 1 KiB of objects out of 50 bytes of directory."""


def gunzip(data: bytes, limit: int) -> bytes:
    """
    Unpack all gzip members of *data*, giving up as soon as they pass *limit*.

    What follows the last member and is not gzip is left alone.

    Raises:
        TooLarge: They unpack to more than *limit* bytes.
        BadReport: The bytes are not gzip, or stop halfway.

    """
    member = zlib.decompressobj(_WITH_HEADER)
    try:
        unpacked = member.decompress(data[:_STEP], _STEP)
        if member.eof and len(data) <= _STEP and not member.unused_data.startswith(GZIP):
            return _checked(unpacked, limit)
        return _gunzip_pieces(data, limit)
    except zlib.error as error:
        raise BadReport(f"the gzip data is damaged: {error}") from error


def _checked(unpacked: bytes, limit: int) -> bytes:
    if len(unpacked) > limit:
        raise TooLarge(WHAT, limit)
    return unpacked


def _gunzip_pieces(data: bytes, limit: int) -> bytes:
    """Go through *data* in steps, so that neither it nor what it unpacks to is copied at length."""
    view = memoryview(data)
    unpacked = BytesIO()
    at = 0
    for _ in range(_MEMBERS_MOST):
        member = zlib.decompressobj(_WITH_HEADER)
        while not member.eof:
            piece = view[at : at + _STEP]
            if not piece:
                raise BadReport("the gzip data stops halfway")
            unpacked.write(member.decompress(piece, _OUT_STEP))
            if unpacked.tell() > limit:
                raise TooLarge(WHAT, limit)
            at += len(piece) - len(member.unused_data) - len(member.unconsumed_tail)
        if bytes(view[at : at + 2]) != GZIP:
            return unpacked.getvalue()
    raise BadReport(f"more than {_MEMBERS_MOST} gzip members")


def unzip(data: bytes, *, limit: int, each: int, most: int) -> Iterator[tuple[str, bytes]]:
    """
    The names and contents of the files in a zip: at most *most*, together *limit* bytes.

    None may have more than *each* bytes. Names are only told, never used as paths.

    Raises:
        TooLarge: They unpack to more; what came before was handed out.
        BadReport: The bytes are no zip, damaged, or encrypted.

    """
    end = data.rfind(_ZIP_END, max(0, len(data) - _ZIP_END_WITHIN))
    if end < 0 or int.from_bytes(data[end + 12 : end + 16], "little") > _ZIP_DIRECTORY_MOST:
        raise BadReport("the zip has no directory at its end, or a very large one")
    left = limit
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            for entry in files[:most]:
                with archive.open(entry) as member:
                    unpacked = member.read(min(left, each) + 1)
                if len(unpacked) > min(left, each):
                    raise TooLarge(WHAT, min(limit, each))
                left -= len(unpacked)
                yield entry.filename, unpacked
    # zipfile's own, and what it lets through from the packing methods.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise BadReport(f"the zip is damaged: {error}") from error
    except (RuntimeError, NotImplementedError) as error:
        raise BadReport(f"the zip cannot be unpacked: {error}") from error
    if len(files) > most:
        raise BadReport(f"the zip holds more than {most} files")
