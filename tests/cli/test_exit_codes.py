"""Every way out of the program: a code and a sentence, a traceback only for a bug."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import mails
from tests.cli.conftest import Place
from tlsrpt_mailer import __main__ as program
from tlsrpt_mailer import __version__, errors
from tlsrpt_mailer.cli import causes, importing
from tlsrpt_mailer.sources.files import Item

PAGE = Path(__file__).parents[2] / "docs/reference/exit-codes.md"


def process(*words: str, **more: Any) -> "subprocess.CompletedProcess[bytes]":
    """The program as a process of its own."""
    command = [sys.executable, "-m", "tlsrpt_mailer", *words]
    return subprocess.run(command, check=False, timeout=60, **{"capture_output": True} | more)


def test_the_version_is_said(place: Place):
    """Whoever reports a bug can name the version."""
    result = place.bare("--version")

    assert (0, f"tlsrpt-mailer {__version__}\n") == (result.code, result.out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("faliures",), 'No such command "faliures". Did you mean "failures"?'),
        (("zzzz",), 'No such command "zzzz".'),
        (("failures", "1"), 'No such command "1". Did you mean "failures show 1"?'),
        (("import",), "Missing argument 'PATH...'"),
        (("show", "--nonsense", "x"), "No such option '--nonsense'"),
        (("reports", "--limit", "0"), "is not in the range"),
        (("quarantine", "retry"), "name mails by their ID, or say --all"),
        (("quarantine", "retry", "1", "--all"), "name mails by their ID, or say --all"),
    ],
)
def test_wrong_usage_is_64_and_says_what_is_right(place: Place, words: tuple[str, ...], said: str):
    """A slip on the command line is told apart from all that can go wrong later."""
    result = place(*words)

    assert 64 == result.code
    assert said in result.err


@pytest.mark.parametrize("now", ["2026-13-01", "yesterday", "1000-01-01"])
def test_a_time_that_is_none_is_wrong_usage(place: Place, now: str):
    """--now takes ISO 8601 and nothing else."""
    assert 64 == place("status", now=now).code


def test_run_goes_by_the_clock(place: Place):
    """A daemon at another time than now would mail nonsense, so --now is refused."""
    result = place("run")

    assert 64 == result.code
    assert "`run` goes by the clock" in result.err


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConfigError, 78),
        (errors.BadReport, 65),
        (errors.Temporary, 75),
        (errors.Unreachable, 69),
        (errors.Refused, 69),
        (errors.CannotWrite, 73),
        (errors.NoSuch, 1),
        (errors.TlsrptError, 1),
    ],
)
def test_each_class_of_error_has_its_code(
    place: Place, monkeypatch: pytest.MonkeyPatch, kind: type[Exception], code: int
):
    """What a script does next follows from the code; a person reads the sentence."""

    def fail(**_: object) -> None:
        raise kind("it is\nlike this \x1b[31m")

    monkeypatch.setattr(causes.causes, "callback", fail)

    result = place("causes")

    assert code == result.code
    assert "tlsrpt-mailer: it is\nlike this \\x1b[31m\n" == result.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), 75),
        (OSError(errno.ENOSPC, "No space left on device"), 75),
        (KeyboardInterrupt(), 130),
        (OSError(errno.EIO, "Input/output error"), 70),
        (ZeroDivisionError("division by zero"), 70),
    ],
)
def test_what_nobody_foresaw_has_a_code_as_well(
    place: Place, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
):
    """Lack of memory or space may be over later; a bug is said to be one, and how to report it."""

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(causes.causes, "callback", fail)

    result = place("causes")

    assert code == result.code
    assert (code == 70) == ("a bug in this program" in result.err)
    assert (code == 70) == ("Traceback" in result.err)


def test_import_from_a_pipe_knows_only_0_and_75(place: Place, stdin: Any):
    """Postfix bounces a mail on any other code: whatever happens, a mail waits or is stored."""
    report = mails.mail(mails.report())

    stdin(report)
    assert 0 == place("import", "-").code
    stdin(b"")
    assert 75 == place("import", "-").code
    stdin(report)
    assert 75 == place("import", "--nonsense", "-").code
    stdin(report)
    assert 75 == place.bare("--nonsense", "import", "-").code
    stdin(report)
    assert 75 == place.bare("-c", "/no/such/file", "import", "-").code
    place.config.write_text("[alrts]")
    stdin(report)
    assert 75 == place("import", "-").code


def test_a_pipe_is_known_by_its_words():
    """The word import, and a lone hyphen anywhere behind it."""
    assert program.is_pipe(["-c", "x", "import", "--json", "-"])
    assert not program.is_pipe(["import", "file"])
    assert not program.is_pipe(["show", "-"])
    assert not program.is_pipe([])


def test_a_mail_that_is_no_report_is_kept_when_it_comes_by_a_pipe(place: Place, stdin: Any):
    """The pipe is the last to have it, so exit code 0 means that it is in the database."""
    stdin(mails.letter())

    result = place("import", "-")

    assert 0 == result.code
    assert 1 == len(place("quarantine", "--ignored", "--json").json)


def test_trouble_while_storing_is_75(place: Place, monkeypatch: pytest.MonkeyPatch):
    """When the database cannot take mails, a script that imports tries again later."""
    place.mail("a.eml", mails.mail(mails.report()))
    (place.folder / "state").mkdir()
    place("import", str(place.mails))
    monkeypatch.setattr(importing, "read_paths", _mails_of_a_broken_disk)

    result = place("import", str(place.mails))

    assert 1 == result.code
    assert "a.eml: Input/output error" in result.err


def _mails_of_a_broken_disk(*_: object, **__: object) -> Any:
    return iter([Item("a.eml", 1, problem="Input/output error")])


def test_a_file_that_cannot_be_read_stops_none_behind_it(place: Place):
    """The rest is stored, the file is named, and the code says that not all went well."""
    good = place.mail("good.eml", mails.mail(mails.report()))

    result = place("import", str(place.mails / "none.eml"), str(good), "--json")

    assert 1 == result.code
    assert "none.eml: No such file" in result.err
    assert (1, 1, 1) == (result.json["mails"], result.json["stored"], result.json["failed"])


def test_the_process_ends_with_the_code(tmp_path: Path):
    """What a shell, cron, systemd or Postfix sees is what the page of exit codes says."""
    (tmp_path / "a.json").write_text("[]")
    (tmp_path / "wrong.toml").write_text("[alrts]")
    wrong = process("-c", str(tmp_path / "wrong.toml"), "config", "check")

    assert 64 == process("nonsense").returncode
    assert 65 == process("show", str(tmp_path / "a.json")).returncode
    assert 78 == wrong.returncode
    assert b"wrong.toml: 1 problem, nothing started" in wrong.stderr
    assert b"Traceback" not in wrong.stderr
    assert 75 == process("import", "--nonsense", "-", input=b"").returncode


def test_nobody_reading_the_output_is_no_error_to_speak_of():
    """`tlsrpt-mailer explain | head -1` ends quietly."""
    command = [sys.executable, "-m", "tlsrpt_mailer", "explain"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
        code = running.wait(60)

    assert (141, b"") == (code, said)


def test_a_full_disk_behind_the_output_is_said():
    """`tlsrpt-mailer explain > full` fails with a sentence, not with a traceback."""
    with Path("/dev/full").open("wb") as full:
        result = process("explain", stdout=full, stderr=subprocess.PIPE, capture_output=False)

    assert 75 == result.returncode
    assert b"tlsrpt-mailer: output: No space left on device\n" == result.stderr


def test_every_code_of_the_program_is_documented():
    """The page and the code know the same numbers."""
    codes = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", PAGE.read_text())}

    assert codes == {
        program.DONE,
        program.NO,
        program.USAGE,
        program.NOT_A_REPORT,
        program.UNREACHABLE,
        program.BUG,
        program.CANNOT_WRITE,
        program.LATER,
        program.CONFIG,
        program.INTERRUPTED,
        program.NOBODY_READS,
    }
    assert {code for _, code in program.CODES} <= codes


@pytest.mark.parametrize("code", [os.EX_USAGE, os.EX_DATAERR, os.EX_UNAVAILABLE, os.EX_SOFTWARE])
def test_the_codes_are_those_of_sysexits(code: int):
    """Tools that know sysexits.h understand ours."""
    assert code in {program.USAGE, program.NOT_A_REPORT, program.UNREACHABLE, program.BUG}
