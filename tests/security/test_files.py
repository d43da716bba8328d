"""Files and sockets that the program makes: who may read them, and whose they are."""

import os
import pwd
import shutil
import smtplib
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.daemon import RECIPIENT, SENDER, Site, running
from tests.e2e.stories import clean, failing
from tests.e2e.waiting import until

NO_UMASK = ("sh", "-c", 'umask 0; exec "$@"', "sh")
NOBODY = pwd.getpwnam("nobody")


def _site(folder: Path) -> Site:
    where = folder / "lmtp"
    site = Site(
        folder,
        f'[[source]]\nkind = "lmtp"\nlisten = "{where}"\nrecipients = ["{RECIPIENT}"]\n'
        'mode = "0600"\n',
    )
    # The daemon makes it.
    shutil.rmtree(site.state)
    return site


def _deliver(folder: Path) -> None:
    with smtplib.LMTP(str(folder / "lmtp")) as client:
        for raw in (failing(), clean(2), b"Subject: no report\r\n\r\nhello\r\n"):
            client.sendmail(SENDER, RECIPIENT, raw)


def _run(site: Site, prefix: Sequence[str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*prefix, *site.words(*words)],
        env=site.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def _modes(folder: Path) -> dict[str, int]:
    """Of all that lies in *folder* and of itself, as octal digits."""
    places = [folder, *folder.rglob("*")]
    return {str(place.relative_to(folder)): stat.S_IMODE(place.lstat().st_mode) for place in places}


def _open_to_others(modes: dict[str, int]) -> dict[str, str]:
    return {name: oct(mode) for name, mode in modes.items() if mode & 0o077}


def test_nothing_is_open_to_others_under_any_umask(tmp_path: Path) -> None:
    """
    With a umask of 0 the state folder has mode 0700 and all in it 0600: database, -wal,
    -shm and lock beside a running daemon; the socket is as its `mode` says; so is a backup.
    """
    site = _site(tmp_path)
    with running(site, NO_UMASK) as daemon:
        _deliver(tmp_path)
        beside = _modes(site.state)
        socket = stat.S_IMODE((tmp_path / "lmtp").stat().st_mode)
        copied = _run(site, NO_UMASK, "backup", str(tmp_path / "copy.db"))
        assert copied.returncode == 0, copied.stderr
        daemon.stop()
    checked = _run(site, NO_UMASK, "config", "check")
    after = _modes(site.state)

    assert {".", "tlsrpt.db", "tlsrpt.db-wal", "tlsrpt.db-shm", "tlsrpt.db.lock"} <= set(beside)
    assert _open_to_others(beside) == {}
    assert _open_to_others(after) == {}
    assert socket == 0o600
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert checked.returncode == 0


def test_mails_of_others_are_exported_for_oneself(tmp_path: Path) -> None:
    """A mail that `quarantine export` writes may be read by whoever asked for it, alone."""
    site = Site(tmp_path)
    broken = tmp_path / "broken.json"
    broken.write_bytes(b'{"organization-name": "x", "policies": [')
    assert site.command("import", str(broken)).returncode == 0
    (row,) = site.json("quarantine")
    out = tmp_path / "out.eml"

    done = _run(site, NO_UMASK, "quarantine", "export", str(row["id"]), "-o", str(out))

    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.servers
def test_what_root_does_leaves_nothing_that_is_roots(tmp_path: Path) -> None:
    """
    Commands of root beside a daemon of another user leave no file in the state folder that
    the daemon could not open.
    """
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    site = _site(tmp_path)
    site.state.mkdir(mode=0o700)
    os.chown(site.state, NOBODY.pw_uid, NOBODY.pw_gid)
    mail = tmp_path / "mail.eml"
    mail.write_bytes(failing())
    for words in (["import", str(mail)], ["failures"], ["prune"], ["status"], ["domains"]):
        done = _run(site, NO_UMASK, *words)
        assert done.returncode in {0, 1}, done.stderr

    about = [place.lstat() for place in site.state.iterdir()]
    assert {(one.st_uid, one.st_gid) for one in about} == {(NOBODY.pw_uid, NOBODY.pw_gid)}
    assert _open_to_others(_modes(site.state)) == {}


def test_temporary_files_of_a_command_are_seen_by_nobody(tmp_path: Path) -> None:
    """What a command channel is given has no name in any folder while the command runs."""
    folder, seen = tmp_path / "tmp", tmp_path / "seen"
    folder.mkdir()
    script = tmp_path / "look"
    script.write_text(f'#!/bin/sh\n(ls -a "$TMPDIR"; cat) > {seen}.new\nmv {seen}.new {seen}\n')
    script.chmod(0o755)
    site = Site(tmp_path)
    channel = f'[[channel]]\nkind = "command"\nname = "look"\ncommand = ["{script}"]\n'
    site.config.write_text(site.config.read_text() + channel)
    mail = tmp_path / "mail.eml"
    mail.write_bytes(failing())
    assert site.command("import", str(mail)).returncode == 0

    done = _run(site, ("env", f"TMPDIR={folder}"), "once")

    assert done.returncode == 0, done.stderr
    given = until(seen.read_text, "the command has run")
    assert given.startswith(".\n..\n{")
