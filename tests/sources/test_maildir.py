"""The Maildir source: new mails are taken, moved after the commit, and nothing else is touched."""

import os
import threading
from pathlib import Path

import msgspec
import pytest

from tests.e2e.waiting import until
from tests.sources.listeners import Health, Store
from tlsrpt_mailer.errors import ConfigError, Unreachable
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.ports import Receipt
from tlsrpt_mailer.sources.maildir import MaildirSource, Settings

NOW = 1_790_000_000


class Folder:
    """A Maildir, and a source that reads it."""

    def __init__(self, path: Path, limit: int = 1_000_000) -> None:
        self.path = path
        for name in ("new", "cur", "tmp"):
            (path / name).mkdir(parents=True)
        self.source = MaildirSource(
            Settings(path=str(path), poll=1), lambda: NOW, Limits(mail_bytes=limit)
        )
        self.store = Store()
        self.health = Health()

    def put(self, name: str, raw: bytes = b"Subject: x\n\n", folder: str = "new") -> Path:
        made, file = self.path / "made", self.path / folder / name
        made.write_bytes(raw)
        os.utime(made, (NOW - 60, NOW - 60))
        return made.rename(file)

    def names(self, folder: str) -> list[str]:
        return sorted(file.name for file in (self.path / folder).iterdir())

    def drain(self) -> None:
        self.source.drain(self.store.deliver, self.health)

    @property
    def warning(self) -> str | None:
        return [text for word, text in self.health.said if word == "warn"][-1]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "box")


def test_mails_are_taken_in_order_and_moved(folder):
    """From new to cur, read, oldest first; what is being delivered or was read is left alone."""
    folder.put("2.b", b"Subject: two\n\n")
    folder.put("1.a", b"Subject: one\n\n")
    folder.put("3.c", b"half", folder="tmp")
    folder.put("0.z:2,", b"old", folder="cur")
    folder.drain()

    assert [mail.raw for mail in folder.store.mails] == [b"Subject: one\n\n", b"Subject: two\n\n"]
    assert [mail.taken_at for mail in folder.store.mails] == [NOW - 60] * 2
    assert folder.store.mails[0].source == f"maildir:{folder.path}"
    assert not folder.store.mails[0].keep_ignored
    assert folder.names("new") == []
    assert folder.names("cur") == ["0.z:2,", "1.a:2,S", "2.b:2,S"]
    assert folder.names("tmp") == ["3.c"]


@pytest.mark.parametrize(
    ("outcome", "new", "cur"),
    [
        ("stored", [], ["1.a:2,S"]),
        ("duplicate", [], ["1.a:2,S"]),
        ("quarantined", [], ["1.a:2,S"]),
        ("ignored", [], ["1.a:2,"]),
        ("failed", ["1.a"], []),
    ],
)
def test_where_a_mail_goes_by_what_became_of_it(outcome, new, cur, tmp_path):
    """A letter stays unread for a person; trouble of ours leaves the mail for the next round."""
    folder = Folder(tmp_path / "box")
    folder.store.receipt = Receipt(outcome)
    folder.put("1.a")
    folder.drain()

    assert folder.names("new") == new
    assert folder.names("cur") == cur


def test_a_mail_that_failed_is_offered_again(folder):
    """After a full disk the same mail is taken in a later round."""
    folder.store.receipt = Receipt("failed")
    folder.put("1.a")
    folder.drain()
    folder.store.receipt = Receipt("stored")
    folder.drain()

    assert len(folder.store.mails) == 2
    assert folder.names("cur") == ["1.a:2,S"]


def test_batches_are_small(tmp_path):
    """At most 200 mails and 8 MiB are read into memory and committed at a time."""
    folder = Folder(tmp_path / "box", limit=5_000_000)
    for number in range(250):
        folder.put(f"1.{number:04}", b"Subject: %d\n\n" % number)
    for number in range(3):
        folder.put(f"2.{number}", b"x" * 4_000_000)
    folder.drain()

    assert [len(batch) for batch in folder.store.batches] == [200, 52, 1]


def test_what_is_no_mail_or_too_large_is_left_and_said_once(tmp_path):
    """Links, pipes and huge files stop nothing and are never opened; status says they are there."""
    folder = Folder(tmp_path / "box", limit=100)
    folder.put("1.large", b"x" * 101)
    (folder.path / "new" / "2.link").symlink_to("/etc/shadow")
    os.mkfifo(folder.path / "new" / "3.pipe")
    (folder.path / "new" / "4.folder").mkdir()
    folder.put("5.ok")
    folder.drain()
    folder.drain()

    assert len(folder.store.mails) == 1
    assert folder.names("new") == ["1.large", "2.link", "3.pipe", "4.folder"]
    assert folder.warning == "4 mails in new cannot be read or are too large"
    for name in ("1.large", "2.link", "3.pipe"):
        (folder.path / "new" / name).unlink()
    (folder.path / "new" / "4.folder").rmdir()
    folder.drain()
    assert folder.warning is None


def test_a_mail_that_vanishes_is_fine(folder):
    """A person's mail program may move or delete a mail at any moment."""
    folder.put("1.a")
    folder.put("2.b")
    deliver = folder.store.deliver

    def meddle(mails):
        (folder.path / "new" / "1.a").unlink()
        return deliver(mails)

    folder.source.drain(meddle, folder.health)

    assert folder.names("cur") == ["2.b:2,S"]
    assert folder.warning is None


def test_a_mail_that_vanishes_between_looking_and_reading_is_fine(folder, monkeypatch):
    """A name that was listed and is gone is skipped."""
    folder.put("1.a")
    listed = os.scandir(folder.path / "new")
    (folder.path / "new" / "1.a").unlink()
    monkeypatch.setattr("tlsrpt_mailer.sources.maildir.os.scandir", lambda _: listed)
    folder.drain()

    assert folder.store.mails == []


def test_a_mail_that_cannot_be_moved_is_not_read_again_and_again(folder):
    """It is stored once; status says that cur cannot be written; it is moved when it can."""
    folder.put("1.a")
    blocking = folder.put("1.a:2,S", b"another mail", folder="cur")
    folder.drain()
    folder.drain()

    assert len(folder.store.mails) == 1
    assert folder.warning == "1 mails are stored, but cannot be moved to cur"
    assert blocking.read_bytes() == b"another mail"
    blocking.unlink()
    folder.drain()
    assert folder.warning is None
    assert folder.names("cur") == ["1.a:2,S"]
    assert len(folder.store.mails) == 1


def test_a_stuck_mail_that_somebody_else_moves_is_forgotten(folder):
    """What a person took out of new is no trouble any more."""
    folder.put("1.a")
    folder.put("1.a:2,S", folder="cur")
    folder.drain()
    (folder.path / "new" / "1.a").unlink()
    folder.drain()

    assert folder.warning is None


def test_flags_that_a_mail_has_already_stay(folder):
    """A name with flags is moved as it is."""
    folder.put("1.a:2,F")
    folder.drain()

    assert folder.names("cur") == ["1.a:2,F"]


def test_it_runs_until_it_is_told_to_stop(folder):
    """New mail is found by itself, a folder that goes away is trouble and comes back."""
    stop = threading.Event()
    thread = threading.Thread(
        target=folder.source.run, args=(folder.store.deliver, folder.health, stop)
    )
    thread.start()
    try:
        folder.put("1.a")
        until(lambda: folder.store.mails, "the mail is taken")
        (folder.path / "new").rename(folder.path / "away")
        until(lambda: ("trouble", _missing(folder)) in folder.health.said, "the trouble is said")
        (folder.path / "away").rename(folder.path / "new")
        folder.put("2.b")
        until(lambda: len(folder.store.mails) == 2, "the second mail is taken")
    finally:
        stop.set()
        thread.join(1.5)

    assert not thread.is_alive()
    assert folder.health.beats


def _missing(folder: Folder) -> str:
    return f"{folder.path / 'new'}: No such file or directory"


def test_a_stop_in_a_long_backlog_takes_no_further_batch(folder):
    """With thousands of mails waiting, a stop comes after the batch that is under way."""
    for number in range(450):
        folder.put(f"1.{number:04}", b"Subject: %d\n\n" % number)
    stop = threading.Event()

    def deliver(mails):
        stop.set()
        return folder.store.deliver(mails)

    folder.source.run(deliver, folder.health, stop)

    assert [len(batch) for batch in folder.store.batches] == [200]
    assert len(folder.names("new")) == 250


def test_closing_ends_it_too(folder):
    """A closed source takes nothing more, whoever asks."""
    folder.put("1.a")
    folder.source.close()
    folder.source.run(folder.store.deliver, folder.health, threading.Event())
    folder.drain()

    assert folder.store.mails == []


def test_a_drain_of_a_folder_that_is_not_there(tmp_path):
    """`once` says which folder is missing, in the words of the system."""
    source = MaildirSource(Settings(path=str(tmp_path / "no")), lambda: NOW, Limits())
    source.open()

    # Whoever drains it puts the source's name in front.
    with pytest.raises(Unreachable, match=r"^/.*/no/new: No such file or directory"):
        source.drain(Store().deliver, Health())


def test_a_path_that_is_no_folder(tmp_path):
    """A file in place of a Maildir is a configuration that cannot be used."""
    (tmp_path / "mbox").write_text("")
    source = MaildirSource(Settings(path=str(tmp_path / "mbox")), lambda: NOW, Limits())

    with pytest.raises(ConfigError, match="is no folder"):
        source.open()


def test_settings_of_a_maildir():
    """A relative path is refused, for a daemon stands nowhere; the interval has a default."""
    assert msgspec.convert({"path": "/x"}, Settings).poll == 10
    with pytest.raises(msgspec.ValidationError, match='must begin with "/"'):
        msgspec.convert({"path": "x"}, Settings)
