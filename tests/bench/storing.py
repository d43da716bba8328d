"""
Mails a second that are stored, beside what parsedmarc only parses. Run it by hand:

    PYTHONPATH=/folder/with/parsedmarc python -m tests.bench.storing

Ours: parse, de-duplicate, judge and commit to a real database file, 200 mails a
transaction. Theirs: `parse_report_email` offline, nothing stored. The ratio has to
be at least ten. Without parsedmarc only our own rate is printed.
"""

import contextlib
import io
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import structlog

from tests import mails
from tlsrpt_mailer import wiring
from tlsrpt_mailer.config import Config, parse
from tlsrpt_mailer.ports import RawMail

MAILS = 4000
BATCH = 200
ROUNDS = 3
RATIO = 10
BROKEN_EVERY = 10
ON_ITS_WAY = """\
Return-Path: <3xyz@smtp-tls-reporting.bounces.google.com>
Delivered-To: tlsrpt@example.com
Received: from mx1.example.com ([192.0.2.1])
	by mail.example.com (Dovecot) with LMTP id kJ3aBbC; Wed, 14 Oct 2026 10:00:03 +0000
Received: from mail-ot1-f71.google.com (mail-ot1-f71.google.com [209.85.210.71])
	by mx1.example.com (Postfix) with ESMTPS id E7D31138020F
	for <tlsrpt@example.com>; Wed, 14 Oct 2026 10:00:02 +0000 (UTC)
Authentication-Results: mx1.example.com;
	dkim=pass header.d=google.com header.s=20251104 header.b=hpRPacZ3;
	dmarc=pass header.from=google.com
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=google.com; s=20251104;
	h=to:from:subject:message-id:date:mime-version;
	bh=QzjuVVP97wp86396GI5RQzjuVVP97wp86396GI5RQzj=;
	b=DfGJLm2o1KHIaUdihUXek6PaUIm5BTJkenzWgp4k8YXmVQr34TDfGJLm2o1KHIaUdihUXek
	DfGJLm2o1KHIaUdihUXek6PaUIm5BTJkenzWgp4k8YXmVQr34TDfGJLm2o1KHIaUdihUXek
	DfGJLm2o1KHIaUdihUXek6PaUIm5BTJkenzWgp4k8YXmVQr34TDfGJLm2o1KHIaUdihUXek==
""".splitlines()
"""What a mail carries besides when it has come from Google by a Postfix to a mailbox."""
DAYS = 200


def config(folder: Path) -> Config:
    """A configuration with a database in *folder* and nobody to tell."""
    text = f'[storage]\npath = "{folder / "tlsrpt.db"}"\n[trust]\ndkim = "off"\n'
    return parse(text, wiring.KINDS, name="bench")


@contextlib.contextmanager
def app_in(folder: Path) -> Iterator[wiring.App]:
    """The program over a new database on disk; it logs nothing."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    app = wiring.open_app(config(folder), holder=True)
    try:
        yield app
    finally:
        app.close()


def small_mails(count: int, *, prefix: str = "d") -> list[bytes]:
    """Reports of a day about some hundred domains; a few of them speak of failures."""
    first = date(2025, 6, 1)
    made = []
    for number in range(count):
        day, domain = number % DAYS, f"{prefix}{number // DAYS}.example"
        failing = number // DAYS % BROKEN_EVERY == 0 and day > DAYS - 10
        details = (mails.detail(mx=f"mx1.{domain}"),) if failing else ()
        body = mails.report(
            domain, (first + timedelta(day)).isoformat(), details=details, mx=(f"mx1.{domain}",)
        )
        made.append(mails.mail(body, headers=ON_ITS_WAY))
    return made


def store(app: wiring.App, made: list[bytes]) -> float:
    """Mails a second; every one of them has to be stored."""
    taken = [RawMail(raw, "bench", app.clock()) for raw in made]
    start = time.perf_counter()
    for at in range(0, len(taken), BATCH):
        receipts = app.deliver(taken[at : at + BATCH])
        assert {receipt.outcome for receipt in receipts} == {"stored"}
    return len(made) / (time.perf_counter() - start)


def their_parse() -> Callable[[bytes], object] | None:
    """Theirs, or None where it is not installed."""
    try:
        import parsedmarc  # type: ignore[import-not-found]  # noqa: PLC0415 - not one of ours
    except ImportError:
        return None
    logging.getLogger("parsedmarc").setLevel(logging.ERROR)

    def parse_one(raw: bytes) -> object:
        report: object = parsedmarc.parse_report_email(raw, offline=True)
        return report

    return parse_one


def rate(parse_one: Callable[[bytes], object], made: list[bytes]) -> float:
    """Mails a second that they parse."""
    start = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        for raw in made:
            parse_one(raw)
    return len(made) / (time.perf_counter() - start)


def main() -> None:
    """Print both rates and their ratio, the best of some rounds."""
    parse_one = their_parse()
    theirs = own = 0.0
    for turn in range(ROUNDS):
        made = small_mails(MAILS, prefix=f"r{turn}-")
        if parse_one is not None:
            theirs = max(theirs, rate(parse_one, made[: MAILS // 4]))
        with tempfile.TemporaryDirectory() as folder, app_in(Path(folder)) as app:
            own = max(own, store(app, made))
    if parse_one is None:
        sys.stdout.write(f"stored {own:.0f}/s; parsedmarc is not installed, so no ratio\n")
        return
    sys.stdout.write(
        f"parsedmarc only parses {theirs:.0f}/s, stored {own:.0f}/s, ratio {own / theirs:.1f}\n"
    )
    sys.exit(own < RATIO * theirs)


if __name__ == "__main__":
    main()
