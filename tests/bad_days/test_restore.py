"""A database that is lost, and what brings it back: a backup, or the mails themselves."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import mails
from tests.bad_days.lmtp import OFF
from tests.e2e.daemon import Site, imap_source
from tests.e2e.sink import Sink
from tests.e2e.stories import day
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.servers

USER = "reports"
DONE = "TLSRPT/Done"


def _history() -> list[tuple[int, bytes]]:
    """
    Forty days of three domains, with how many days ago each mail came.

    example.com broke and was mended, old.example was broken when its reports stopped, and
    new.example broke yesterday.
    """
    found = []
    for back in range(40, 0, -1):
        found.append((back, _report(back, "example.com", broken=26 <= back <= 30)))
        if back >= 12:
            found.append((back, _report(back, "old.example", broken=back <= 15)))
        found.append((back, _report(back, "new.example", broken=back == 1)))
    return found


def _report(back: int, domain: str, *, broken: bool) -> bytes:
    mx = f"mx.{domain}"
    rows = (mails.detail(mx=mx),) if broken else ()
    return mails.mail(mails.report(domain, day(back), mx=(mx,), details=rows))


def _came(back: int) -> datetime:
    """A report about a day comes in the morning after it."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=back - 1) + timedelta(minutes=1)


def _moment(back: int) -> str:
    return f"{_came(back):%Y-%m-%dT%H:%M:%SZ}"


def _once(site: Site, *words: str) -> None:
    env = site.environment(PASSWORD=PASSWORD)
    done = subprocess.run(
        site.words(*words, "once", "-q"), env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _state(site: Site) -> list[dict[str, Any]]:
    """Every failure there ever was, but for the numbers, which follow the order of storing."""
    failures = json.loads(site.command("failures", "list", "--all", "--json").stdout)
    return sorted(
        ({k: v for k, v in one.items() if k not in ("id", "cause")} for one in failures),
        key=lambda one: str(one["policy_domain"]),
    )


def _live(site: Site, put: Callable[[Sequence[tuple[int, bytes]]], None]) -> None:
    """Let the history happen: what came until ten days ago was told then."""
    history = _history()
    put([one for one in history if one[0] > 28])
    _once(site, "--now", _moment(28))
    put([one for one in history if 14 <= one[0] <= 28])
    _once(site, "--now", _moment(14))
    put([one for one in history if one[0] < 14])
    _once(site)


def _told(sink: Sink) -> set[str]:
    """The domains that alerts spoke of as new."""
    lines = [str(line) for mail in sink.mails for line in mail.get_all("X-TLSRPT-Mailer", [])]
    return {
        line.split("domain=")[1].split(";")[0] for line in lines if line.startswith("event=new")
    }


def _lose(site: Site) -> None:
    for path in site.state.iterdir():
        path.unlink()


@pytest.mark.timeout(180)
def test_the_done_folder_brings_everything_back(
    tmp_path: Path, sink: Sink, dovecot: Dovecot
) -> None:
    """
    With the database lost and no backup, a second block that names the done folder reads it
    all again: the same failures in the same states. Nobody hears again of what is old; what
    broke yesterday is told again.
    """
    block = imap_source(dovecot.port, USER, f'after = "move"\ndone_folder = "{DONE}"\n')
    site = Site(tmp_path, OFF + block, sink.port)

    def put(mails_: Sequence[tuple[int, bytes]]) -> None:
        with dovecot.client(USER) as client:
            for back, raw in mails_:
                client.append("INBOX", raw, msg_time=_came(back))

    _live(site, put)
    before, told = _state(site), _told(sink)
    _lose(site)
    sink.taken.clear()
    again = imap_source(dovecot.port, USER, f'folder = "{DONE}"\n')
    site.configure(OFF + block + again, sink.port)
    _once(site)

    assert {"example.com", "old.example", "new.example"} == told
    assert before == _state(site)
    assert {"new.example"} == _told(sink)
    assert len(_history()) == site.count("reports WHERE status = 'counted'")
    assert len(_history()) == len(dovecot.bodies(USER, DONE))


@pytest.mark.timeout(180)
def test_a_maildir_brings_everything_back(tmp_path: Path, sink: Sink) -> None:
    """Likewise `import` of a Maildir, whose cur/ holds what was read."""
    box = tmp_path / "box"
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    block = f'[[source]]\nkind = "maildir"\npath = "{box}"\n'
    site = Site(tmp_path, OFF + block, sink.port)

    def put(mails_: Sequence[tuple[int, bytes]]) -> None:
        for number, (back, raw) in enumerate(mails_):
            path = box / "new" / f"{back}.{number}"
            path.write_bytes(raw)
            os.utime(path, times=(_came(back).timestamp(),) * 2)

    _live(site, put)
    before = _state(site)
    _lose(site)
    sink.taken.clear()
    imported = site.command("import", str(box))
    _once(site)

    assert 0 == imported.returncode, imported.stderr
    assert before == _state(site)
    assert {"new.example"} == _told(sink)
