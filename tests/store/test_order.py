"""The order in which mails arrive, and how often, changes nothing that is counted."""

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.build import NOW, entry_of, report_of
from tlsrpt_mailer.flows.deciding import ReadMail, decide
from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.ports import NewReport
from tlsrpt_mailer.store.retention import Keep, prune
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store

REPORTS = [
    *(report_of(day=0, failed=version, version=version) for version in (1, 2, 3)),
    *(report_of("b.example.com", day) for day in range(3)),
    report_of("c.example.com", failed=5, mx=None, result="validation-failure"),
    report_of("c.example.com", failed=5, reporter="microsoft.com"),
]


def read(new: NewReport) -> ReadMail:
    entry = entry_of(new)
    content = MailContent("tls-report", "report", None, (new.found,), entry.facts)
    return ReadMail(entry.mail, entry.sha256, content, (new,))


def take(store: SqliteStore, batch: list[NewReport]) -> None:
    """As the flow does it: look up, decide, write, in one transaction."""
    mails = [read(new) for new in batch]
    with store.write() as txn:
        known = txn.known(
            [one.sha256 for one in mails],
            [new.found.digest for new in batch],
            [new.revision_key for new in batch],
        )
        decided = decide(mails, known, txn.ignored_bytes, 0, is_known=bool)
        txn.put([entry for entry, _ in decided if entry is not None])


def counted(store: SqliteStore) -> list[list[tuple[Any, ...]]]:
    """All that counts, without the numbers that rows happen to have."""
    with store.writer.reading() as conn:
        return [
            sorted(conn.execute(sql).fetchall())
            for sql in (
                "SELECT digest, status FROM reports",
                "SELECT domain, reporter, start_at, end_at, digest, total, sessions FROM windows",
                "SELECT domain, policy_type, result_type, mx, sessions, reasons FROM sightings",
                "SELECT sha256 FROM mails",
                "SELECT * FROM rollups",
            )
        ]


def outcome(folder: str, batches: list[list[NewReport]]) -> list[Any]:
    with closing(open_store(Path(folder) / "t.db", create=True, clock=lambda: NOW)) as store:
        for batch in batches:
            take(store, batch)
        before = counted(store)
        prune(store.writer, NOW, Keep(reports=0))
        return [before, counted(store)]


@settings(max_examples=25, deadline=None)
@given(st.permutations(REPORTS), st.lists(st.sampled_from(REPORTS), max_size=6), st.data())
def test_any_order_any_repetition_any_batches_give_the_same_tables(
    order: list[NewReport], repeats: list[NewReport], data: st.DataObject
) -> None:
    """Ten mails in one batch, or one by one in any order with repeats: the same is counted."""
    mails = [*order, *repeats]
    batches: list[list[NewReport]] = []
    while mails:
        size = data.draw(st.integers(1, len(mails)))
        batches.append(mails[:size])
        mails = mails[size:]

    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        assert outcome(one, [list(REPORTS)]) == outcome(other, batches)
