"""What an MTA may do to `import -`: whatever happens, the exit code is 0 or 75."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import mails

SHELL = {
    "standard output is full": ("> /dev/full", 0),
    "both are full": ("> /dev/full 2> /dev/full", 0),
    "both are closed": (">&- 2>&-", 0),
    "standard output is closed": (">&-", 0),
}
WRONG = "2> /dev/full", ">&- 2>&-"


def piped(folder: Path, words: str, streams: str) -> "subprocess.CompletedProcess[bytes]":
    """The program behind a shell that hands it a mail and these streams."""
    command = f'"$0" -m tlsrpt_mailer -c {folder}/config.toml {words} {streams}'
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable],
        input=mails.mail(mails.report()),
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = '[storage]\npath = "state/tlsrpt.db"\n[trust]\ndkim = "off"\n'
    (tmp_path / "config.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize("case", SHELL)
def test_a_mail_is_stored_though_nothing_can_be_printed(folder: Path, case: str):
    """
    A full disk behind the output, or no output at all, loses no mail and brings none twice:
    it is stored, and the MTA is told so by 0.
    """
    streams, code = SHELL[case]

    assert code == piped(folder, "import -", streams).returncode
    assert b"1 duplicate" in piped(folder, "import -", "").stdout


@pytest.mark.parametrize("streams", WRONG)
def test_trouble_that_cannot_be_told_is_75(folder: Path, streams: str):
    """A wrong option, a broken configuration: 75, even where standard error takes no word."""
    (folder / "config.toml").write_text("nonsense")

    assert 75 == piped(folder, "import -", streams).returncode
    assert 75 == piped(folder, "import --nonsense -", streams).returncode


def test_without_standard_input(folder: Path):
    """A pipe that hands over nothing is told to try again, in a sentence."""
    result = piped(folder, "import -", "<&-")

    assert 75 == result.returncode
    assert b"standard input is empty" in result.stderr


def test_other_commands_end_with_their_code_when_nothing_can_be_said(folder: Path):
    """Full standard error does not turn the exit code into Python's own."""
    result = piped(folder, "show /no/such/file", "2> /dev/full")

    assert 73 == result.returncode
