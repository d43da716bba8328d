"""The command channel with real programs that answer, fail, hang and print without end."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.channels.notices import failure, hostile, notice
from tlsrpt_mailer.channels.command import MOST_BYTES, CommandNotifier, Settings, variables
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.errors import Refused, Temporary
from tlsrpt_mailer.ports import Notice, Sent

HERE = Here(name="ticket", host="mail.example.com", sender="a@example.com")
PATIENCE = 20


def script(folder: Path, text: str) -> str:
    path = folder / "channel.py"
    path.write_text(f"#!{sys.executable} -S\nimport os, sys, time\n{text}\n")
    path.chmod(0o755)
    return str(path)


def run(folder: Path, text: str, given: Notice | None = None, **settings: Any) -> Sent:
    command = (script(folder, text), *settings.pop("arguments", ()))
    way = CommandNotifier(Settings(command=command, **settings), HERE)
    return way.notify(given or notice(), "T-7")


def test_it_reads_json_and_its_first_line_is_the_name(tmp_path: Path):
    """The program gets what a webhook gets; what it prints first comes back with the next one."""
    sent = run(
        tmp_path,
        f"open({str(tmp_path / 'got')!r}, 'w').write(sys.stdin.read())\n"
        "print(); print('  T-8 '); print('more')",
    )

    got = json.loads((tmp_path / "got").read_text())
    assert ("T-7", "example.com") == (got["remote_ref"], got["failures"][0]["policy_domain"])
    assert Sent("exit 0: T-8", "T-8") == sent


def test_it_may_print_nothing(tmp_path: Path):
    """Then the cause has no name at the other side."""
    assert Sent("exit 0", None) == run(tmp_path, "pass")


def test_arguments_reach_it_without_a_shell(tmp_path: Path):
    """A blank, a quote and a dollar sign are what they are."""
    arguments = ("a b", "$(id)", "';'")

    assert f"exit 0: {'|'.join(arguments)}" == (
        run(tmp_path, "print('|'.join(sys.argv[1:]))", arguments=arguments).answer
    )


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("print('busy', file=sys.stderr); sys.exit(75)", Temporary, "exited with 75: busy"),
        ("print('no such queue'); sys.exit(1)", Refused, "exited with 1: no such queue"),
        ("sys.exit(2)", Refused, "exited with 2$"),
        ("os.kill(os.getpid(), 9)", Temporary, "was ended by signal 9"),
    ],
)
def test_the_exit_code_is_the_answer(text: str, error: type[Exception], said: str, tmp_path: Path):
    """75 is not now, any other never; being killed (no memory) is not its own answer."""
    with pytest.raises(error, match=said):
        run(tmp_path, text)


def test_a_program_that_is_not_there_defers(tmp_path: Path):
    """A file system that is not mounted yet loses no notice."""
    way = CommandNotifier(Settings(command=(str(tmp_path / "gone"),)), HERE)

    with pytest.raises(Temporary, match=r"gone: No such file"):
        way.notify(notice(), None)


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """A file for the numbers of processes that a program starts."""
    path = tmp_path / "pids"
    yield path
    for one in path.read_text().split() if path.exists() else ():
        assert not _runs(int(one)), "a process was left behind"


def _runs(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
    return True


def test_it_and_all_that_it_started_are_killed_in_time(tmp_path: Path, pids: Path):
    """A program that hangs, with a child that hangs, costs its time-out and leaves nothing."""
    began = time.monotonic()
    with pytest.raises(Temporary, match="took over 1 s"):
        run(
            tmp_path,
            f"child = os.fork()\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
            "time.sleep(600)",
            timeout=1,
        )

    assert time.monotonic() - began < PATIENCE


def test_one_that_closes_its_output_and_hangs_is_killed_too(tmp_path: Path, pids: Path):
    """The end of the output is not the end of the program."""
    with pytest.raises(Temporary, match="took over 1 s"):
        run(
            tmp_path,
            f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
            "os.close(1); os.close(2); time.sleep(600)",
            timeout=1,
        )


def test_what_it_leaves_behind_holds_up_nothing(tmp_path: Path):
    """A daemon that the program starts keeps the output open; the program's own end counts."""
    began = time.monotonic()
    sent = run(
        tmp_path,
        "sys.stdout.write('T-9\\n'); sys.stdout.flush()\n"
        "if os.fork() == 0:\n    os.setsid(); time.sleep(5); os._exit(0)\n",
        timeout=60,
    )

    assert "T-9" == sent.remote_ref
    assert time.monotonic() - began < 4


def test_output_without_end_is_cut(tmp_path: Path):
    """Megabytes are read and dropped, and the program comes to its end."""
    sent = run(tmp_path, f"print('T-1'); sys.stdout.write('x' * {MOST_BYTES * 40})")

    assert "T-1" == sent.remote_ref


def test_input_that_nobody_reads_holds_up_nothing(tmp_path: Path):
    """A large notice to a program that does not look at it."""
    assert "exit 0" == run(tmp_path, "pass", notice(text="x" * 1_000_000)).answer


def test_the_variables_say_what_a_script_needs_most():
    """Enough for a router in shell, without a parser of JSON."""
    given = variables(notice(failures=(failure(), failure(18))), "T-7")

    assert {
        "TLSRPT_ID": "tlsrpt.17.new.1@mail.example.com",
        "TLSRPT_KEY": "tlsrpt-3f1b0c",
        "TLSRPT_EVENT": "new",
        "TLSRPT_SEVERITY": "critical",
        "TLSRPT_OPEN": "1",
        "TLSRPT_FAILURES": "17,18",
        "TLSRPT_REMOTE_REF": "T-7",
        "TLSRPT_RESULT_TYPE": "certificate-expired",
        "TLSRPT_DOMAIN": "example.com",
        "TLSRPT_MX": "mx1.example.com",
    } == given


def test_no_variable_holds_what_a_stranger_wrote():
    """A script without quotes comes to no harm: what is no plain word is empty."""
    given = variables(hostile(), "a; rm -rf /")

    assert {""} == {
        given[f"TLSRPT_{name}"] for name in ("DOMAIN", "MX", "RESULT_TYPE", "REMOTE_REF")
    }


def test_a_notice_without_failures_has_fewer_variables():
    """Trouble of the program itself names no domain."""
    given = variables(notice(failures=(), is_open=False), None)

    assert "TLSRPT_DOMAIN" not in given
    assert ("0", "") == (given["TLSRPT_OPEN"], given["TLSRPT_FAILURES"])


def test_the_environment_holds_no_secret_of_other_parts(tmp_path: Path):
    """Passwords that stand in our own environment do not reach the program; the path does."""
    text = f"open({str(tmp_path / 'env')!r}, 'w').write('\\n'.join(os.environ))"
    environ = {**os.environ, "IMAP_PASSWORD": "x", "NOTIFY_SOCKET": "/run/x"}
    CommandNotifier(Settings(command=(script(tmp_path, text),)), HERE, environ).notify(
        notice(), None
    )

    names = set((tmp_path / "env").read_text().split())
    assert {"PATH", "TLSRPT_EVENT"} <= names
    assert not {"IMAP_PASSWORD", "NOTIFY_SOCKET"} & names


@pytest.mark.parametrize("command", [(), ("channel",), ("./channel",)])
def test_the_path_depends_on_nothing(command: tuple[str, ...]):
    """A daemon has no working folder to speak of, and no search path to be trusted."""
    with pytest.raises(ValueError, match="whole path"):
        Settings(command=command)
