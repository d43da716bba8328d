"""Signed, unsigned and forged: the order in which they arrive changes nothing that counts."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.post import NOW, Post, signed
from tests.mails import detail, mail, report
from tlsrpt_mailer.flows.trusting import Mode

DAY_6 = report(day="2026-10-06", details=(detail(failed=6),))
MENDED = report(day="2026-10-06", details=())
WORSE = report(day="2026-10-06", details=(detail("starttls-not-supported", failed=99),))
MAILS = [
    signed(mail(report(day="2026-10-05"))),
    mail(report(day="2026-10-05"), newline="\r\n"),
    signed(mail(DAY_6, date=NOW - 9_000)),
    mail(DAY_6, date=NOW - 100, newline="\r\n"),
    signed(mail(MENDED, date=NOW - 8_000)),
    mail(WORSE, date=NOW - 50, newline="\r\n"),
    mail(MENDED, date=NOW - 20, newline="\r\n"),
    mail(report(day="2026-10-07", details=()), newline="\r\n"),
    mail(report(day="2026-10-07"), date=NOW - 10, newline="\r\n"),
    *(
        signed(mail(one, sender="a@evil.example"), domain="evil.example")
        for one in (report(day="2026-10-05"), DAY_6, MENDED)
    ),
]
COUNTED = (
    "SELECT reporter, start_at, hex(digest) FROM windows ORDER BY 1, 2, 3",
    "SELECT result_type, severity, last_seen FROM failures WHERE is_open ORDER BY 1",
)


def outcome(dkim: Mode, batches: list[list[int]]) -> list[list[tuple[object, ...]]]:
    """What counts after these batches (indices of `MAILS`)."""
    with tempfile.TemporaryDirectory() as folder:
        post = Post(Path(folder), dkim)
        for batch in batches:
            post.take(*(MAILS[at] for at in batch))
        rows = [post.world.rows(sql) for sql in COUNTED]
        post.store.close()
        return rows


@pytest.mark.parametrize("dkim", ["require", "mark"])
@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_order_and_batches_change_nothing(dkim: Mode, data: st.DataObject) -> None:
    """Whatever comes first, and with what, the verified word is what counts in the end."""
    order = data.draw(st.permutations(range(len(MAILS))))
    cut = data.draw(st.integers(0, len(MAILS)))
    batches = [list(order[:cut]), *([at] for at in order[cut:])]

    assert outcome(dkim, [list(range(len(MAILS)))]) == outcome(dkim, batches)
