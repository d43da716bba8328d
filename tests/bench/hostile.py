"""
What a single mail may cost at most: one second, and 64 MiB. Run it by hand:

    python -m tests.bench.hostile

Each mail is read and stored in a process of its own; memory is what that process needs beyond
what it had after a plain report. Names the mails that cost too much.
"""

import gzip
import io
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests import mails
from tests.bench.storing import app_in
from tlsrpt_mailer.ports import RawMail

SECONDS, MIB = 1.0, 64.0
MOST = 16 * 1024 * 1024
ROUNDS = 3


def _report_of(data: bytes, **more: object) -> bytes:
    return mails.mail(data, **more)[:MOST]  # type: ignore[arg-type]


def _packed(data: bytes) -> bytes:
    """A mail with *data* gzipped, as large as it may be."""
    return _report_of(data, gzip=True)


def _details(count: int) -> bytes:
    row = mails.document(mails.detail())
    rows = b",".join([row] * count)
    head = b'{"policies":[{"policy":{"policy-type":"sts","policy-domain":"example.com"},'
    return head + b'"summary":{},"failure-details":[' + rows + b"]}]}"


def _zip(members: int, size: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(members):
            archive.writestr(f"a!b!{number}!2.json", b'{"policies":[],' + b" " * size)
    return mails.mail(out.getvalue(), gzip=False, file_name="r.zip", part_type="application/zip")


def _nested(depth: int) -> bytes:
    raw = mails.mail(mails.report())
    for _ in range(depth):
        raw = b"Content-Type: message/rfc822\n\n" + raw
    return raw[:MOST]


def _deep_multipart(depth: int) -> bytes:
    opened = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth)
    )
    return opened + b"\n{}"


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a gzip bomb": lambda: _packed(b" " * 512 * 1024 * 1024),
    "a bomb within a bomb": lambda: _packed(gzip.compress(b" " * 512 * 1024 * 1024)),
    "15 MiB of blanks before the object": lambda: _packed(b" " * (15 << 20) + b'{"policies":[]}'),
    "empty arrays to the limit": lambda: _packed(b'{"policies":[' + b"[]," * 133_000 + b"[]]}"),
    "32 MiB of empty arrays": lambda: _packed(b'{"policies":[' + b"[]," * (11 << 20)),
    "100,000 nested arrays": lambda: _packed(b'{"policies":' + b"[" * 100_000),
    "20,000 details": lambda: _packed(_details(20_000)),
    "a string of 15 MiB": lambda: _packed(
        b'{"policies":[],"report-id":"' + b"\\u00e9" * (2 << 20) + b'"}'
    ),
    "a string of 15 MiB of wide characters": lambda: _packed(
        b'{"policies":[],"report-id":"' + "\U0001f600".encode() * (3 << 20) + b'"}'
    ),
    "60,000 members": lambda: _packed(
        b'{"policies":[],' + b",".join(b'"k%d":%d' % (n, n) for n in range(60_000)) + b"}"
    ),
    "a number of a million digits": lambda: _packed(
        b'{"policies":[],"x":' + b"9" * 1_000_000 + b"}"
    ),
    "backslashes without an end": lambda: _packed(b'{"policies":[],"x":"' + b"\\" * (8 << 20)),
    "lone surrogates": lambda: _packed(b'{"policies":[],"x":"' + b"\\ud800" * 170_000 + b'"}'),
    "a zip of many bombs": lambda: _zip(50, 16 << 20),
    "a zip of 60,000 files": lambda: _zip(60_000, 1),
    "2,000 nested messages": lambda: _nested(2_000),
    "100,000 multiparts": lambda: _deep_multipart(100_000),
    "a million header lines": lambda: b"X: y\n" * 1_000_000 + b"\n" + mails.mail(mails.report()),
    "a header of 15 MiB": lambda: b"Subject: " + b"=?utf-8?q?=41?= " * (1 << 20) + b"\n\n",
    "a million parts": lambda: (
        b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\n\n" * 1_000_000
    ),
    "a million false boundaries": lambda: (
        b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--bx\n" * 1_000_000
    ),
    "15 MiB of broken base64": lambda: (
        b"Content-Transfer-Encoding: base64\nContent-Type: application/tlsrpt+gzip\n\n"
        + b"A=?!" * (15 << 18)
    ),
    "15 MiB of quoted-printable": lambda: (
        b"Content-Transfer-Encoding: quoted-printable\nContent-Type: application/tlsrpt+json\n\n"
        + b"=4" * (7 << 20)
    ),
    "16 MiB of NUL": lambda: b"\0" * MOST,
    "reports behind reports": lambda: _packed(mails.document(mails.report()) * 20_000),
    "16,000 domains": lambda: _packed(
        mails.document(
            mails.report(policies=[mails.policy(f"d{n}.example", mx=()) for n in range(16_000)])
        )
    ),
    "10,000 domains that all fail": lambda: _packed(
        mails.document(
            mails.report(
                policies=[
                    mails.policy(f"d{n}.example", mx=(), details=[{"result-type": "x"}])
                    for n in range(10_000)
                ]
            )
        )
    ),
    "18,000 result types": lambda: _packed(
        mails.document(mails.report(details=[{"result-type": f"x{n}"} for n in range(19_900)]))
    ),
    "50 attachments to the limit": lambda: mails.mail(
        [mails.report(f"d{n}.example", details=[mails.detail()] * 1_000) for n in range(48)]
    ),
}


def cost(raw: bytes) -> tuple[float, float]:
    """Seconds, and MiB beyond those of a plain report, in this process."""
    with tempfile.TemporaryDirectory() as folder, app_in(Path(folder)) as app:
        app.deliver([RawMail(mails.mail(mails.report()), "bench", app.clock())])
        mail = RawMail(raw, "bench", app.clock())
        # What getrusage says begins with the memory of the process that started this one.
        Path("/proc/self/clear_refs").write_text("5")
        before = _most_kib()
        start = time.process_time()
        app.deliver([mail])
        return time.process_time() - start, (_most_kib() - before) / 1024


def _most_kib() -> int:
    """The most memory since it was last reset (proc(5), VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Print each mail's cost."""
    missed = 0
    for name, make in HOSTILE.items():
        raw = make()[:MOST]
        best = (float("inf"), float("inf"))
        for _ in range(ROUNDS):
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.hostile", "-"],
                input=raw,
                capture_output=True,
                check=True,
            )
            took, grown = (float(word) for word in done.stdout.split())
            best = min(best[0], took), min(best[1], grown)
        bad = best[0] > SECONDS or best[1] > MIB
        missed += bad
        sys.stdout.write(
            f"{best[0]:6.2f} s {best[1]:6.1f} MiB  {'TOO MUCH: ' if bad else ''}{name}\n"
        )
    sys.exit(missed > 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write("{} {}".format(*cost(sys.stdin.buffer.read())))
    else:
        main()
