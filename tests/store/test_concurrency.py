"""Several writers, full disks, killed processes: nothing half, nothing lost, plain words."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.build import NOW, entry_of, report_of
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.store.queries import Reader, open_queries
from tlsrpt_mailer.store.retention import check
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, *args: object) -> subprocess.Popen[str]:
    """Another process of ours, which imports from the checkout."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_threads_take_turns(store: SqliteStore, reader: Reader) -> None:
    """Several sources store at once, and every mail of each is there once."""

    def put(number: int) -> None:
        for day in range(10):
            with store.write() as txn:
                txn.put([entry_of(report_of(f"d{number}.example.com", day))])

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert (40, 40) == (reader.mails().total, reader.reports().total)


_WRITER = """
import sys
from pathlib import Path
from tests.store.build import entry_of, report_of
from tlsrpt_mailer.store.sqlite import open_store
store = open_store(Path(sys.argv[1]), create=False, busy_seconds=30)
for day in range(20):
    with store.write() as txn:
        txn.known([b"x"], [], [])
        txn.put([entry_of(report_of(sys.argv[2], day))])
"""


def test_processes_take_turns(store: SqliteStore, path: Path, reader: Reader) -> None:
    """A command that writes beside the daemon loses nothing and is given other numbers."""
    others = [python(_WRITER, path, f"other{number}.example.com") for number in range(2)]
    for day in range(20):
        with store.write() as txn:
            txn.put([entry_of(report_of("mine.example.com", day))])
    codes = [other.wait(60) for other in others]
    for other in others:
        other.communicate()

    assert codes == [0, 0]
    assert (60, 60) == (reader.mails().total, reader.reports().total)
    assert check(path) == []


def test_a_locked_database_is_temporary_and_says_who(path: Path, store: SqliteStore) -> None:
    """Where another program holds the database, mails wait, and the text says how to find it."""
    second = open_store(path, create=False, busy_seconds=0.01)

    with closing(second), store.write(), pytest.raises(Temporary, match="locked by") as caught:
        second.positions.forget("imap", "INBOX", 1, [1])

    assert f"(fuser {path})" in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


def test_reading_goes_on_while_another_writes(store: SqliteStore, reader: Reader) -> None:
    """A listing neither waits for a transaction nor sees half of it."""
    with store.write() as txn:
        txn.put([entry_of(report_of())])

        assert reader.mails().total == 0
    assert reader.mails().total == 1


def test_an_exception_takes_everything_back(store: SqliteStore, reader: Reader) -> None:
    """A batch that fails in the middle has stored nothing of it, and the next one works."""

    def fail_halfway() -> None:
        with store.write() as txn:
            txn.put([entry_of(report_of())])
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    with store.write() as txn:
        txn.put([entry_of(report_of(day=1))])

    assert reader.mails().total == 1


def test_transactions_do_not_nest(store: SqliteStore) -> None:
    """A bug of ours that would commit half a batch is refused, and leaves the store usable."""
    with store.write(), pytest.raises(RuntimeError, match="within a transaction"):
        store.outbox.sent(1, NOW, "250 ok")

    with store.write() as txn:
        assert txn.open_domains() == []


def test_what_sqlite_cannot_take_is_trouble_of_ours(store: SqliteStore) -> None:
    """An error of SQLite that nobody foresaw is temporary too: the mail is never to blame."""
    with pytest.raises(Temporary, match="please report this"), store.write() as txn:
        txn.put([entry_of(outcome="failed")])


def test_a_damaged_page_is_told_and_defers_mail(store: SqliteStore, path: Path) -> None:
    """Damage that shows up while running is temporary for mails, and names the way out."""
    with store.write() as txn:
        txn.put([entry_of(report_of(f"d{n}.example.com", 0)) for n in range(500)])
    with store.writer.reading() as conn:
        (page,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'mails'").fetchone()
    store.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    again = open_store(path, create=False)

    with closing(again), pytest.raises(Temporary, match="damaged") as caught, again.write() as txn:
        txn.put([entry_of(report_of(day=3))])

    assert "restore a backup" in str(caught.value)


_DYING = """
import os, sys
from pathlib import Path
from tests.store.build import entry_of, report_of
from tlsrpt_mailer.store.sqlite import open_store
store = open_store(Path(sys.argv[1]), create=False)
with store.write() as txn:
    txn.put([entry_of(report_of(f"d{n}.example.com", 0)) for n in range(300)])
print("committed", flush=True)
with store.write() as txn:
    txn.put([entry_of(report_of(f"d{n}.example.com", 1)) for n in range(300)])
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_a_kill_in_the_middle_keeps_what_was_committed(path: Path, store: SqliteStore) -> None:
    """After kill -9 the committed batch is whole, the other is not there, and work goes on."""
    store.close()
    process = python(_DYING, path)
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(2)]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    with closing(open_store(path, create=True)) as again, open_queries(path) as reader:
        totals = (reader.mails().total, reader.reports().total)
        with again.write() as txn:
            txn.put([entry_of(report_of("d0.example.com", 1))])

        assert said == ["committed", "writing"]
        assert totals == (300, 300)
        assert reader.mails().total == 301
    assert check(path) == []


@pytest.mark.servers
def test_a_full_disk_is_temporary_and_nothing_is_half(small_disk: Path) -> None:
    """When the disk is full the batch is taken back; with room again the same batch goes in."""
    path = small_disk / "tlsrpt.db"
    with closing(open_store(path, create=True, clock=lambda: NOW)) as store:
        with store.write() as txn:
            txn.put([entry_of(report_of())])
        filler = small_disk / "filler"
        room = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        filler.write_bytes(b"x" * (room - 65536))
        batch = [entry_of(report_of(f"d{n}.example.com", 1)) for n in range(300)]
        with pytest.raises(Temporary, match=r"no space left .* free space"), store.write() as txn:
            txn.put(batch)
        with open_queries(path) as reader:
            left = reader.mails().total
        filler.unlink()
        with store.write() as txn:
            txn.put(batch)

        with open_queries(path) as reader:
            assert (1, 301) == (left, reader.mails().total)
    assert check(path) == []
