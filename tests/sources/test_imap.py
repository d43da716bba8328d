"""The IMAP source on a real Dovecot: what is read, and what becomes of it in the mailbox."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.servers.dovecot import Dovecot
from tests.sources.imap_parts import PASSWORD, Rig, mail, subject_of
from tlsrpt_mailer.errors import ConfigError, Unreachable
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.ports import Position
from tlsrpt_mailer.sources.imap import Settings

pytestmark = pytest.mark.servers

BARE = "IMAP4rev1 LITERAL+ SASL-IR ENABLE NAMESPACE IDLE"
MIXED = [mail("a"), mail("quarantined"), mail("ignored"), mail("b")]


@contextmanager
def server(**options: Any) -> Iterator[Dovecot]:
    one = Dovecot(**options)
    try:
        one.start()
        yield one
    finally:
        one.remove()


def subjects(dovecot: Dovecot, user: str, folder: str = "INBOX") -> list[str]:
    return [subject_of(raw) for raw in dovecot.bodies(user, folder)]


# ------------------------------------------------------------------ what is left behind


def test_keep_changes_nothing_in_the_mailbox(dovecot: Dovecot, rig: Rig, user: str):
    """By default every mail is read once, and stays with its flags as it was."""
    dovecot.put(user, MIXED)

    rig.drain()
    rig.drain()

    assert rig.taking.subjects == ["a", "quarantined", "ignored", "b"]
    assert rig.taking.mails[0].raw == MIXED[0]
    assert dovecot.flags(user) == [()] * 4
    assert dovecot.folders(user) == ["INBOX"]


def test_mails_that_somebody_has_read_are_taken_too(dovecot: Dovecot, rig: Rig, user: str):
    r"""Another client's \Seen hides no report."""
    dovecot.put(user, [mail("a")])
    with dovecot.client(user) as client:
        client.select_folder("INBOX")
        client.add_flags([1], [rb"\Seen", rb"\Deleted"])

    rig.drain()

    assert rig.taking.subjects == ["a"]


def test_seen_marks_what_was_taken(dovecot: Dovecot, rig: Rig, user: str):
    """Reports are marked as seen, readable or not; a mail that is no report is not touched."""
    dovecot.put(user, MIXED)

    rig.drain(after="seen")

    assert dovecot.flags(user) == [(rb"\Seen",), (rb"\Seen",), (), (rb"\Seen",)]


@pytest.mark.parametrize("capability", ["", f"{BARE} MOVE", f"{BARE} UIDPLUS"])
def test_move_sorts_by_what_became_of_the_mail(capability: str):
    """
    Stored reports go to the done folder, unreadable ones to the failed folder, the rest
    stays; by MOVE, or by COPY and UID EXPUNGE.
    """
    with server(capability=capability) as dovecot:
        dovecot.put("u", [*MIXED, mail("duplicate"), mail("superseded"), mail("held")])

        Rig(dovecot.port, "u").drain(after="move")

        assert subjects(dovecot, "u") == ["ignored"]
        assert subjects(dovecot, "u", "TLSRPT.Failed") == ["quarantined"]
        done = ["a", "b", "duplicate", "superseded", "held"]
        assert sorted(subjects(dovecot, "u", "TLSRPT.Done")) == sorted(done)


def test_without_uidplus_nothing_is_expunged():
    r"""
    A server with neither MOVE nor UIDPLUS: moved mails are copied and marked as deleted,
    and what another client has marked is still there. The operator is told.
    """
    with server(capability=BARE) as dovecot:
        dovecot.put("u", [mail("a"), mail("theirs ignored")])
        with dovecot.client("u") as client:
            client.select_folder("INBOX")
            client.add_flags([2], [rb"\Deleted"])
        rig = Rig(dovecot.port, "u")

        rig.drain(after="move")
        rig.drain(after="move")

        assert subjects(dovecot, "u") == ["a", "theirs ignored"]
        assert dovecot.flags("u") == [(rb"\Deleted",), (rb"\Deleted",)]
        assert subjects(dovecot, "u", "TLSRPT.Done") == ["a"]
        assert rig.taking.subjects == ["a", "theirs ignored"]
        assert "no UIDPLUS" in (rig.said.warnings[0] or "")


def test_delete_takes_only_what_was_stored(dovecot: Dovecot, rig: Rig, user: str):
    """Stored mails go; unreadable ones are put aside, others and the reader's own stay."""
    dovecot.put(user, [*MIXED, mail("failed")])

    rig.drain(after="delete", delete_after=0)

    assert subjects(dovecot, user) == ["ignored", "failed"]
    assert subjects(dovecot, user, "TLSRPT.Failed") == ["quarantined"]


def test_delete_waits_for_delete_after(dovecot: Dovecot, rig: Rig, user: str):
    """A stored mail stays for as long as configured, is read once, and then goes."""
    dovecot.put(user, [mail("a"), mail("ignored")])
    rig.drain(after="delete", delete_after=86_400)
    rig.now += 86_399
    rig.drain(after="delete", delete_after=86_400)
    before = subjects(dovecot, user)

    rig.now += 1
    rig.drain(after="delete", delete_after=86_400)

    assert before == ["a", "ignored"]
    assert subjects(dovecot, user) == ["ignored"]
    assert rig.taking.subjects == ["a", "ignored"]
    assert rig.positions.outcomes() == {}


def test_keep_never_deletes_what_an_older_setting_promised(dovecot: Dovecot, rig: Rig, user: str):
    """Mails that waited for their deletion stay once the operator says keep."""
    dovecot.put(user, [mail("a")])
    rig.drain(after="delete", delete_after=60)
    rig.now += 3_600

    rig.drain(after="keep")

    assert subjects(dovecot, user) == ["a"]


# ------------------------------------------------------------------ folders


@pytest.mark.parametrize(
    ("options", "done"),
    [
        ({"separator": "/"}, "TLSRPT/Done"),
        ({"separator": "."}, "TLSRPT.Done"),
        ({"separator": ".", "prefix": "INBOX."}, "INBOX.TLSRPT.Done"),
        ({"separator": "/", "prefix": "Mail/"}, "Mail/TLSRPT/Done"),
    ],
)
def test_folders_are_made_where_the_server_wants_them(options: dict[str, str], done: str):
    """Namespace and separator are the server's, whatever the configuration writes."""
    with server(**options) as dovecot:
        dovecot.put("u", [mail("a")])
        rig = Rig(dovecot.port, "u")

        rig.drain(after="move")
        dovecot.put("u", [mail("b")])
        rig.drain(after="move", done_folder=done)

        assert subjects(dovecot, "u", done) == ["a", "b"]


def test_without_namespace_the_separator_is_asked_for():
    """A server that knows no NAMESPACE still gets its own separator."""
    with server(separator="/", capability="IMAP4rev1 UIDPLUS MOVE") as dovecot:
        dovecot.put("u", [mail("a")])

        Rig(dovecot.port, "u").drain(after="move")

        assert subjects(dovecot, "u", "TLSRPT/Done") == ["a"]


def test_a_folder_that_was_deleted_is_made_again(dovecot: Dovecot, rig: Rig, user: str):
    """Somebody deletes the done folder under a running drain: it is made anew, nothing is lost."""
    dovecot.put(user, [mail(str(n), 50_000) for n in range(200)])
    looks = 0

    def delete_folder() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            with dovecot.client(user) as client:
                client.delete_folder("TLSRPT.Done")

    rig.taking.before = delete_folder

    rig.drain(after="move")

    assert len(rig.taking.batches) > 1
    assert subjects(dovecot, user) == []
    assert "TLSRPT.Done" in dovecot.folders(user)


def test_another_folder_is_read_and_named(dovecot: Dovecot, rig: Rig, user: str):
    """Reports sorted into a folder are read from there, letters beyond ASCII and all."""
    with dovecot.client(user) as client:
        client.create_folder("Berichte über TLS")
    dovecot.put(user, [mail("a")], "Berichte über TLS")

    rig.drain(folder="Berichte über TLS")

    assert rig.taking.subjects == ["a"]
    assert rig.taking.mails[0].source == f"imap:{user}@127.0.0.1/Berichte über TLS"


def test_a_wrong_folder_lists_those_that_exist():
    """The text says which folders there are and which one was probably meant."""
    with server(separator=".", prefix="INBOX.") as dovecot:
        with dovecot.client("u") as client:
            client.create_folder("INBOX.Reports.TLS")
            client.create_folder("INBOX.Archive")

        with pytest.raises(Unreachable) as refusal:
            Rig(dovecot.port, "u").drain(folder="Reports/TLS")

    assert str(refusal.value) == (
        '127.0.0.1 has no folder "Reports/TLS". It has:\n'
        "  INBOX, INBOX.Archive, INBOX.Reports.TLS\n"
        'Perhaps you mean "INBOX.Reports.TLS".'
    )


def test_a_mailbox_that_nothing_can_leave_is_read_all_the_same(
    dovecot: Dovecot, rig: Rig, user: str
):
    """Where the server refuses each move (rights, quota), mails are stored and status says so."""
    dovecot.put(user, [mail("a")])
    inbox = dovecot.folder / "mail" / user
    inbox.chmod(0o500)
    try:
        rig.drain(after="move")
    finally:
        inbox.chmod(0o700)

    assert rig.taking.subjects == ["a"]
    assert rig.said.warning.startswith("mails stay in INBOX: ")


# ------------------------------------------------------------------ what is remembered


def test_a_new_uidvalidity_reads_everything_again(dovecot: Dovecot, rig: Rig, user: str):
    """After a restore of the mailbox nothing is missed; the store knows what it has."""
    dovecot.put(user, [mail("a"), mail("b")])
    rig.drain()
    with dovecot.client(user) as client:
        client.create_folder("other")
        client.select_folder("INBOX")
        client.copy([1, 2], "other")
    ((key, place),) = rig.positions.at.items()
    rig.positions.at[key] = Position(place.uidvalidity - 1, 900)

    rig.drain()

    assert rig.taking.subjects == ["a", "b", "a", "b"]
    assert rig.positions.at[key] == place


def test_the_last_mail_is_not_read_again_and_again(dovecot: Dovecot, rig: Rig, user: str):
    """A look at a folder with nothing new reads nothing, and an empty one is no trouble."""
    rig.drain()
    dovecot.put(user, [mail("a")])
    rig.drain()

    rig.drain()

    assert rig.taking.batches == [1]


def test_a_failed_mail_is_offered_again_and_holds_up_nobody(dovecot: Dovecot, rig: Rig, user: str):
    """One mail that cannot be stored now is offered at the next look; those behind it are taken."""
    dovecot.put(user, [mail("a"), mail("failed"), mail("b")])
    rig.drain(after="move")
    first = rig.said.warning
    rig.taking.outcome = lambda _: "stored"

    rig.drain(after="move")

    assert rig.taking.subjects == ["a", "failed", "b", "failed"]
    assert first == "1 mail could not be stored, and will be offered again: disk full"
    assert rig.said.warning == ""
    assert subjects(dovecot, user) == []
    assert rig.positions.outcomes() == {}


def test_a_store_in_trouble_ends_the_drain(dovecot: Dovecot, rig: Rig, user: str):
    """A full disk costs one batch, not the whole mailbox, and nothing is lost by it."""
    dovecot.put(user, [mail(str(n), 60_000) for n in range(160)])
    rig.taking.outcome = lambda _: "failed"
    rig.drain(after="delete", delete_after=0)
    tried = list(rig.taking.batches)
    rig.taking.outcome = lambda _: "stored"
    rig.taking.mails.clear()

    rig.drain(after="delete", delete_after=0)

    assert len(tried) == 1
    assert len(rig.taking.mails) == 160
    assert subjects(dovecot, user) == []


def test_a_failed_mail_that_vanishes_is_forgotten(dovecot: Dovecot, rig: Rig, user: str):
    """Somebody deletes a mail that was to be offered again: nothing waits for it."""
    dovecot.put(user, [mail("a"), mail("failed")])
    rig.drain()
    with dovecot.client(user) as client:
        client.select_folder("INBOX")
        client.delete_messages([2])
        client.expunge()

    rig.drain()

    assert rig.positions.outcomes() == {}
    assert rig.taking.subjects == ["a", "failed"]


def test_a_mail_that_is_too_large_is_never_fetched(dovecot: Dovecot, rig: Rig, user: str):
    """It stays, is named in status until somebody deletes it, and the others are read."""
    dovecot.put(user, [mail("a"), mail("large", 20_000), mail("b", 9_000)])
    rig.limits = Limits(mail_bytes=10_000)
    rig.drain(after="move")
    rig.drain(after="move")
    warning = rig.said.warning
    with dovecot.client(user) as client:
        client.select_folder("INBOX")
        client.delete_messages(client.search())
        client.expunge()

    rig.drain(after="move")

    assert rig.taking.subjects == ["a", "b"]
    assert warning == "1 mail (UID 2) is too large to be read; look at them and delete them"
    assert rig.said.warning == ""


def test_a_batch_is_at_most_8_mib_or_200_mails(dovecot: Dovecot, rig: Rig, user: str):
    """Memory stays flat whatever lies in the mailbox."""
    large = [mail(f"large{n}", 3_000_000) for n in range(5)]
    with dovecot.client(user) as client:
        client.multiappend("INBOX", [mail(str(n)) for n in range(450)])
        client.multiappend("INBOX", large)

    rig.drain()

    sizes = [len(one.raw) for one in rig.taking.mails]
    start = 0
    for count in rig.taking.batches:
        assert count <= 200
        assert count == 1 or sum(sizes[start : start + count]) <= 8 * 1024 * 1024
        start += count
    assert len(set(rig.taking.subjects)) == 455
    assert rig.taking.subjects[:450] == [str(n) for n in range(450)]


def test_sparse_uids_are_all_found(dovecot: Dovecot, rig: Rig, user: str):
    """Long gaps between UIDs, as after years of moving mails away, hide nothing."""
    with dovecot.client(user) as client:
        client.multiappend("INBOX", [mail(str(n)) for n in range(3_000)])
        client.select_folder("INBOX")
        client.delete_messages([uid for uid in client.search() if uid not in (1, 1_600, 2_999)])
        client.expunge()

    rig.drain()

    assert rig.taking.subjects == ["0", "1599", "2998"]


def test_the_backlog_counts_down(dovecot: Dovecot, rig: Rig, user: str):
    """The first drain of an old mailbox says how much is left."""
    with dovecot.client(user) as client:
        client.multiappend("INBOX", [mail(str(n)) for n in range(1_100)])

    rig.drain(after="move")

    assert rig.said.backlogs == [1100, 900, 700, 500, 300, 100, 0]


def test_a_mail_is_as_old_as_the_server_says(dovecot: Dovecot, rig: Rig, user: str):
    """taken_at is INTERNALDATE in UTC, but never later than now by our clock."""
    date = datetime(2026, 10, 14, 13, 42, tzinfo=timezone(timedelta(hours=2)))
    with dovecot.client(user) as client:
        client.append("INBOX", mail("a"), msg_time=date)
        client.append("INBOX", mail("b"), msg_time=date + timedelta(hours=1))
    taken = int(datetime(2026, 10, 14, 11, 42, tzinfo=UTC).timestamp())
    rig.now = taken + 60

    rig.drain()

    assert [one.taken_at for one in rig.taking.mails] == [taken, rig.now]


def test_a_mailbox_that_only_grows_is_warned_about(
    dovecot: Dovecot, rig: Rig, user: str, monkeypatch: pytest.MonkeyPatch
):
    """A kept mailbox past the mark says so in status, one that is emptied does not."""
    monkeypatch.setattr("tlsrpt_mailer.sources.imap_reading.CROWDED", 2)
    dovecot.put(user, [mail("ignored")] * 3)
    rig.drain()
    kept = rig.said.warning

    rig.drain(after="move")

    assert "INBOX holds 3 mails" in kept
    assert rig.said.warning == ""


def test_a_refused_move_is_tried_again_without_reading_again(dovecot: Dovecot, rig: Rig, user: str):
    """
    The done folder cannot be made: the mail is stored, stays, and is moved once the
    folder can be made; it is not read a second time.
    """
    dovecot.put(user, [mail("a")])
    blocker = dovecot.folder / "mail" / user / ".TLSRPT.Done"
    blocker.write_text("not a folder")
    rig.drain(after="move")
    warning = rig.said.warning
    blocker.unlink()

    rig.drain(after="move")

    assert warning.startswith("mails stay in INBOX: ")
    assert rig.said.warning == ""
    assert rig.taking.subjects == ["a"]
    assert subjects(dovecot, user) == []
    assert subjects(dovecot, user, "TLSRPT.Done") == ["a"]


# ------------------------------------------------------------------ names and settings


def test_the_name_tells_sources_apart():
    """The name holds the user and host, and the folder unless it is INBOX."""
    assert Rig(1, "tlsrpt").source().name == "imap:tlsrpt@127.0.0.1"
    assert Rig(1, "tlsrpt").source(folder="TLS").name == "imap:tlsrpt@127.0.0.1/TLS"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"password_env": None}, "needs password_file, password_env or password_command"),
        ({"auth": "xoauth2"}, "needs token_file"),
        ({"token_command": ("helper",)}, "uses no token"),
        ({"security": "none", "host": "imap.example.com"}, "readable over the network"),
        ({"security": "none", "host": "192.0.2.1"}, "readable over the network"),
        ({"after": "move", "done_folder": "inbox"}, "must differ"),
        ({"after": "move", "done_folder": "x", "failed_folder": "X"}, "must differ"),
        ({"after": "delete", "failed_folder": ""}, "must differ"),
        ({"username": ""}, "must not be empty"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, Any], problem: str):
    """What cannot work, or sends a password in the clear, stops the start."""
    given = {"host": "localhost", "username": "u", "password_env": "X", **settings}

    with pytest.raises(ValueError, match=problem):
        Settings(**given)


def test_plaintext_can_be_permitted():
    """A tunnel or a private network may carry IMAP in the clear, if the operator says so."""
    settings = Settings(
        host="imap.example.com",
        username="u",
        password_env="X",
        security="none",
        allow_plaintext=True,
    )

    assert settings.at_port == 143


def test_a_ca_file_that_is_none_stops_the_start():
    """A missing CA file is a matter of configuration, found before anything runs."""
    with pytest.raises(ConfigError, match="ca_file: /nowhere: No such file"):
        Rig(1, "u").source(security="tls", ca_file="/nowhere")


def test_the_password_is_read_for_each_login(dovecot: Dovecot, rig: Rig, user: str):
    """A rotated password needs no restart."""
    source = rig.source()
    rig.password = "old"
    with pytest.raises(Unreachable, match="refuses the login of"):
        source.drain(rig.taking, rig.said)
    dovecot.put(user, [mail("a")])

    rig.password = PASSWORD
    source.drain(rig.taking, rig.said)

    assert rig.taking.subjects == ["a"]
