"""Files for import: whatever a mail or a report lies in, it is found, and trouble stops nothing."""

import errno
import gzip
import io
import mailbox
import os
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import mails
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.sources.files import Item, read_paths, total_bytes
from tlsrpt_mailer.sources.mbox import split_mbox, without_from_line

NOW = 1_790_000_000
MAIL = b"Subject: x\n\nhello\n"
FROM = b"From a@b.example Mon Oct 19 08:00:00 2026\n"


def read(*paths: object, limit: int = 1_000_000, stdin: bytes | None = None) -> list[Item]:
    stream = None if stdin is None else io.BytesIO(stdin)
    names = [str(path) for path in paths]
    return list(read_paths(names, now=NOW, limits=Limits(mail_bytes=limit), stdin=stream))


def raws(items: list[Item]) -> list[bytes]:
    return [item.mail.raw for item in items if item.mail is not None]


def problems(items: list[Item]) -> list[tuple[str, str]]:
    return [
        (item.path.rpartition("/")[2], item.problem) for item in items if item.problem is not None
    ]


def packed(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_a_mail_in_a_file(tmp_path):
    """A mail is taken as it is, its time is that of the import, its source is the file."""
    file = tmp_path / "a.eml"
    file.write_bytes(MAIL)
    (item,) = read(file)

    assert item.mail is not None
    assert item.mail.raw == MAIL
    assert item.mail.source == f"file:{file}"
    assert item.mail.taken_at == NOW
    assert item.mail.file_name is None
    assert not item.mail.keep_ignored


@pytest.mark.parametrize("name", ["google.json", "google.json.gz", "whatever.bin"])
def test_a_bare_report_keeps_its_name(name, tmp_path):
    """A report file says who sent it by its name alone, so the name goes along."""
    raw = mails.document(mails.report())
    raw = gzip.compress(raw) if name.endswith("gz") else raw
    (tmp_path / name).write_bytes(raw)
    (item,) = read(tmp_path / name)

    assert item.mail is not None
    assert (item.mail.raw, item.mail.file_name) == (raw, name)


def test_a_mailbox(tmp_path):
    """Each mail of an mbox is one, without its From_ line, with its quoted lines restored."""
    file = tmp_path / "mbox"
    body = b"Subject: 1\n\n>From here\n>>From there\n> From afar\nFrom within a text\n"
    file.write_bytes(FROM + body + b"\n" + FROM + MAIL + b"\n")
    items = read(file)

    assert raws(items) == [
        b"Subject: 1\n\nFrom here\n>From there\n> From afar\nFrom within a text\n",
        MAIL,
    ]
    assert [item.path for item in items] == [f"{file}, mail 1", f"{file}, mail 2"]


def test_a_mailbox_as_pythons_mailbox_writes_it(tmp_path):
    """Another program's idea of an mbox is read as that program meant it."""
    box = mailbox.mbox(tmp_path / "mbox")
    for number in range(3):
        box.add(mails.mail(mails.report(day=f"2026-10-1{number}")))
    box.flush()

    assert [raw.rstrip() for raw in raws(read(tmp_path / "mbox"))] == [
        mails.mail(mails.report(day=f"2026-10-1{number}")).replace(b"\r\n", b"\n").rstrip()
        for number in range(3)
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"From - Mon Oct 19 08:00:00 2026",
        b"From MAILER-DAEMON Fri Jul  8 12:08:34 2011",
        b"From a@b.example Mon Oct 19 08:00 2026",
        b"From a@b.example  Mon Oct 19 08:00:00 2026 +0200",
        b'From "a b"@c.example Mon Oct 19 08:00:00 2026',
        b"From ??@??? Mon Oct 19 08:00:00 2026\r",
    ],
)
def test_from_lines_as_programs_write_them(line, tmp_path):
    """Thunderbird, Eudora, qmail and their kin differ in what stands before the date."""
    (tmp_path / "mbox").write_bytes(line + b"\n" + MAIL + b"\n" + line + b"\n" + MAIL)

    assert raws(read(tmp_path / "mbox")) == [MAIL, MAIL]


def test_a_mailbox_without_empty_lines_between_mails():
    """A From_ line that is complete begins a mail even where the empty line was left out."""
    parts = list(split_mbox(io.BytesIO(FROM + MAIL + FROM + MAIL), 1000))

    assert [part.raw for part in parts] == [MAIL, MAIL]


@given(
    st.lists(
        st.lists(
            st.sampled_from([b"x", b">", b">>From y", b"From y", b"From y at 10:00", b""]),
            max_size=6,
        ),
        max_size=5,
    )
)
def test_any_mails_come_back_out_of_an_mboxrd(bodies):
    """What mboxrd's rule put in is what comes out, whatever stood in the mails."""
    originals = [b"S: 1\n\n" + b"".join(line + b"\n" for line in body) for body in bodies]
    box = b"".join(FROM + _quoted(raw) + b"\n" for raw in originals)

    assert [part.raw for part in split_mbox(io.BytesIO(box), 1000)] == originals


def _quoted(raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    return b"".join(
        b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines
    )


def test_a_mail_of_a_mailbox_that_is_too_large_is_left_out():
    """The mails before and behind it are taken, and memory holds one mail at a time."""
    large = b"Subject: large\n\n" + (b"x" * 76 + b"\n") * 60_000
    box = FROM + MAIL + b"\n" + FROM + large + b"\n" + FROM + MAIL
    tracemalloc.start()
    parts = [part.raw for part in split_mbox(io.BytesIO(box), 100_000)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert parts == [MAIL, None, MAIL]
    assert peak < 2_000_000


def test_a_mail_of_a_mailbox_that_is_left_out_is_named(tmp_path):
    """The number of the mail says where to look."""
    (tmp_path / "mbox").write_bytes(FROM + MAIL + b"\n" + FROM + b"x" * 200 + b"\n")

    assert problems(read(tmp_path / "mbox", limit=100)) == [
        ("mbox, mail 2", "larger than 100 bytes")
    ]


def test_a_line_of_megabytes_in_a_mailbox():
    """A line that never seems to end is read in pieces, and is still one line."""
    line = b"X: " + b"From " * 40_000 + b"\n"
    parts = list(split_mbox(io.BytesIO(FROM + line + b"\n" + FROM + MAIL), 1_000_000))

    assert [part.raw for part in parts] == [line, MAIL]


def test_folders_are_read_to_the_bottom(tmp_path):
    """All files below a folder, sorted, but hidden ones and links that lead round."""
    for name in ("b/2.eml", "a/1.json", "a/.hidden/x.eml", "a/.DS_Store", "c.eml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"Subject: " + name.encode() + b"\n\n")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "a" / "pipe")

    assert raws(read(tmp_path)) == [
        b"Subject: c.eml\n\n",
        b"Subject: a/1.json\n\n",
        b"Subject: b/2.eml\n\n",
    ]


def test_a_maildir_is_read_and_left_as_it_is(tmp_path):
    """new, cur and subfolders, but not tmp or the server's own files; nothing is moved."""
    for name in (".Sub/cur", ".Sub/new", ".Sub/tmp", "cur", "new", "tmp"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    for name in ("cur/1:2,S", "new/2", "tmp/3", ".Sub/cur/4:2,", "dovecot.index", "new/.nfs1"):
        (tmp_path / name).write_bytes(b"Subject: " + name.encode() + b"\n\n")
    before = sorted(tmp_path.rglob("*"))
    items = read(tmp_path)

    assert {raw[9:].strip() for raw in raws(items)} == {b"cur/1:2,S", b"new/2", b".Sub/cur/4:2,"}
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive(tmp_path):
    """Mails, mailboxes, reports, folders and archives in a zip, and nothing lands on disk."""
    inner = packed({"inner.json.gz": gzip.compress(b"{}")})
    file = tmp_path / "all.zip"
    members = {
        "deep/er/report.json": b"{}",
        "mail.eml": MAIL,
        "mbox": FROM + MAIL,
        "more.zip": inner,
        "__MACOSX/._mail.eml": b"attributes",
        "../../etc/evil": MAIL,
    }
    file.write_bytes(packed(members))
    items = read(file)

    assert raws(items) == [b"{}", MAIL, MAIL, gzip.compress(b"{}", mtime=_mtime(inner)), MAIL]
    assert [item.mail and item.mail.file_name for item in items[:1]] == ["report.json"]
    assert items[0].path == f"{file}/deep/er/report.json"
    assert list(tmp_path.iterdir()) == [file]


def _mtime(inner: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(inner)) as archive:
        return int.from_bytes(archive.read("inner.json.gz")[4:8], "little")


def test_archives_in_archives_come_to_an_end(tmp_path):
    """Past two levels an archive is handed on as it is, for the reader of mails to judge."""
    data = MAIL
    for _ in range(4):
        data = packed({"x.zip": data})
    (tmp_path / "x.zip").write_bytes(data)
    (raw,) = raws(read(tmp_path / "x.zip"))

    assert raw.startswith(b"PK")


def test_a_member_that_unpacks_to_too_much_is_left_out(tmp_path):
    """A bomb in an archive costs no memory, and the members behind it are taken."""
    (tmp_path / "x.zip").write_bytes(packed({"a.json": b"0" * 50_000_000, "b.eml": MAIL}))
    tracemalloc.start()
    items = read(tmp_path / "x.zip", limit=100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert problems(items) == [("a.json", "larger than 100000 bytes")]
    assert raws(items) == [MAIL]
    assert peak < 5_000_000


def test_an_archive_in_an_archive_that_is_too_large(tmp_path):
    """An inner archive is held in memory, so it may not be larger than a mail."""
    inner = packed({"a": os.urandom(10_000)})
    (tmp_path / "x.zip").write_bytes(packed({"in.zip": inner, "b.eml": MAIL}))
    items = read(tmp_path / "x.zip", limit=5_000)

    assert problems(items) == [("in.zip", "larger than 5000 bytes")]
    assert raws(items) == [MAIL]


def test_a_damaged_member_stops_no_other(tmp_path):
    """Wrong checksums are said of the member alone."""
    data = packed({"a.eml": b"Subject: a\n\n" + os.urandom(500), "b.eml": MAIL})
    broken = data[:100] + bytes([data[100] ^ 0xFF]) + data[101:]
    (tmp_path / "x.zip").write_bytes(broken)
    items = read(tmp_path / "x.zip")

    assert [name for name, _ in problems(items)] == ["a.eml"]
    assert raws(items) == [MAIL]


def test_an_encrypted_member_is_said(tmp_path):
    """A password is not asked for."""
    data = bytearray(packed({"a.eml": MAIL}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    ((name, problem),) = problems(read(tmp_path / "x.zip"))

    assert name == "a.eml"
    assert "encrypted" in problem


def test_an_archive_with_too_many_members(tmp_path, monkeypatch):
    """The first ones are read, and what was left out is said."""
    monkeypatch.setattr("tlsrpt_mailer.sources.files.ZIP_MEMBERS", 2)
    (tmp_path / "x.zip").write_bytes(packed({str(number): MAIL for number in range(3)}))
    items = read(tmp_path / "x.zip")

    assert len(raws(items)) == 2
    assert problems(items) == [("x.zip", "has over 2 members, the rest is not read")]


@pytest.mark.parametrize("name", ["mail.eml.gz", "1:2,S"])
def test_a_packed_mail_is_unpacked(name, tmp_path):
    """Dovecot can keep mails packed, and people pack what they export."""
    (tmp_path / name).write_bytes(gzip.compress(MAIL))

    assert raws(read(tmp_path / name)) == [MAIL]


def test_a_packed_mailbox_is_unpacked(tmp_path):
    """An archived mbox.gz is read as a stream."""
    (tmp_path / "2025.mbox.gz").write_bytes(gzip.compress(FROM + MAIL + b"\n" + FROM + MAIL))

    assert raws(read(tmp_path / "2025.mbox.gz")) == [MAIL, MAIL]


def test_what_cannot_be_read_is_said_and_the_rest_taken(tmp_path):
    """One bad file in a thousand is a line at the end, not the end."""
    (tmp_path / "1.eml").write_bytes(MAIL)
    (tmp_path / "2.zip").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "3.eml.gz").write_bytes(gzip.compress(MAIL + os.urandom(9000))[:6000])
    (tmp_path / "4.eml").write_bytes(b"Subject: x\n\n" + b"x" * 20_000)
    (tmp_path / "5.json").write_bytes(b"")
    (tmp_path / "6.eml").symlink_to("nowhere")
    (tmp_path / "7.eml").write_bytes(MAIL)
    files = sorted(tmp_path.iterdir())
    items = read(*files, tmp_path / "missing", limit=15_000)

    assert len(raws(items)) == 2
    assert [name for name, _ in problems(items)] == [
        "2.zip",
        "3.eml.gz",
        "4.eml",
        "5.json",
        "6.eml",
        "missing",
    ]
    assert problems(items)[2][1] == "larger than 15000 bytes"
    assert problems(items)[3][1] == "empty"
    assert problems(items)[5][1] == "No such file or directory"


def test_a_damaged_gzip_that_is_no_mail_is_judged_as_a_report(tmp_path):
    """Whether it is a report nobody can read is for the reader of reports to say."""
    (tmp_path / "x.json.gz").write_bytes(b"\x1f\x8b\x08 damaged")

    assert raws(read(tmp_path / "x.json.gz")) == [b"\x1f\x8b\x08 damaged"]


def test_progress_goes_up_to_the_total(tmp_path):
    """A progress bar ends where it should, whatever kinds of files there are."""
    (tmp_path / "1.eml").write_bytes(MAIL)
    (tmp_path / "2.mbox").write_bytes((FROM + MAIL + b"\n") * 5000)
    (tmp_path / "3.zip").write_bytes(packed({"a": MAIL, "b": MAIL}))
    (tmp_path / "4.gz").write_bytes(gzip.compress(MAIL))
    total = total_bytes([str(tmp_path), "-", str(tmp_path / "missing")])
    done = [item.done for item in read(tmp_path)]

    assert total == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert done == sorted(done)
    assert len(set(done)) > 10
    assert 0 < done[0]
    assert done[-1] <= total


@pytest.mark.parametrize("line", [b"", FROM, b"From nobody\n", b">From a@b Mon Oct 19 2026\n"])
def test_a_mail_on_standard_input(line):
    """One mail, as a pipe hands it over, with or without a From_ line, kept if it is a letter."""
    (item,) = read("-", stdin=line + MAIL + b"\n" + FROM + MAIL)

    assert item.mail is not None
    assert item.mail.raw == MAIL + b"\n" + FROM + MAIL
    assert item.mail.source == "pipe"
    assert item.mail.keep_ignored


@pytest.mark.parametrize(
    ("stdin", "problem"),
    [
        (None, "standard input is empty"),
        (b"\n", "standard input is empty"),
        (b"x" * 101, "larger than 100 bytes"),
    ],
)
def test_nothing_or_too_much_on_standard_input(stdin, problem):
    """It is said, and nothing is taken."""
    items = read("-", stdin=stdin, limit=100)

    assert [item.problem for item in items] == [problem]


def test_a_named_pipe_can_be_imported(tmp_path):
    """`import <(command)` of a shell works: a path that knows no position and no size."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(MAIL,))
    writer.start()
    items = read(path)
    writer.join()

    assert raws(items) == [MAIL]
    assert total_bytes([str(path)]) == 0


def test_an_archive_from_a_pipe(tmp_path):
    """Archives need to be read back and forth, so one from a pipe is held in memory."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(packed({"a.eml": MAIL}),))
    writer.start()
    items = read(path)
    writer.join()

    assert raws(items) == [MAIL]


def test_a_mail_that_only_looks_as_if_it_had_a_from_line():
    """A header that begins with From is not touched."""
    assert without_from_line(b"From: a@b\n\n") == b"From: a@b\n\n"
    assert without_from_line(b"From a\nSubject: x\n\n") == b"Subject: x\n\n"


def test_the_corpus_is_read_file_by_file(corpus: Path | None):
    """Every sample mail and report beside the checkout, if it is there, is one item."""
    if corpus is None:
        return
    items = read(corpus, limit=Limits().mail_bytes)

    assert not problems(items)
    assert len(items) == len([file for file in corpus.rglob("*") if file.is_file()])


def test_standard_input_that_cannot_be_read_is_said():
    """A disk that fails under the file on standard input is a problem of it, in its own words."""

    class Failing(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    (item,) = read_paths(["-"], now=NOW, limits=Limits(), stdin=Failing())

    assert "standard input: Input/output error" == item.problem
