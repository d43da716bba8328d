"""
The run in which nothing counts that nobody signed.

Most reports are signed by google.com, whose key is in DNS all the time. Some are signed by
late.net, whose name server answers only in the second half of the run; some are not
signed, and some are about domains that are not ours.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from time import monotonic

from tests import mails
from tests.e2e.daemon import Site
from tests.e2e.stories import day
from tests.kill.cargo import FAILED, REVISED, SESSIONS, Cargo, Mail, written
from tests.kill.moments import KINDS
from tests.kill.setting import Setting
from tests.servers.nsd import nsd
from tests.trust.signing import ed25519_key, sign

PROMPT, LATE = "google.com", "late.net"
OURS, STRANGERS = "ours.example", "strangers.example"
EVERY = 20
"""One of each kind among so many mails."""

NUDGE = 0.5
"""Seconds between two times that all waits are made to be over."""

_PRIVATE, _PUBLIC = ed25519_key()
_RECORD = f"v=DKIM1; k=ed25519; p={_PUBLIC}".encode()


class Believing(Setting):
    """``trust.dkim = "require"``, with a name server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._nudged = 0.0
        self._has_late = False
        # .net is a zone that the server does not know at first, so that it refuses to answer.
        self._address = self._open.enter_context(nsd(folder, _records(PROMPT)))
        self.config = (
            f'[trust]\ndkim = "require"\nreporters = ["{PROMPT}", "{LATE}"]\n'
            f'[dns]\nnameservers = ["{self._address}"]\n'
            f'[[domains]]\nmatch = ["*.{OURS}"]\n'
        )

    def close(self) -> None:
        """End the name server."""
        self._open.close()

    def cargo(self, count: int) -> Cargo:
        """Signed or not, and about whom."""
        return signed_cargo(count)

    def before(self, site: Site, number: int, kills: int) -> None:
        """In the second half late.net is there; what waits is due at each start."""
        if number >= kills // 2 and not self._has_late:
            self._has_late = True
            self._open.close()
            port = int(self._address.rpartition(":")[2])
            self._open.enter_context(nsd(self._folder, _records(PROMPT, LATE), port))
        self.nudge(site)

    def kinds(self, number: int, kills: int) -> Sequence[str]:
        """Also while what waits is read again, in vain or not; the first time for certain."""
        if number == kills // 2:
            return ("believed",)
        return (*KINDS, "asked", "believed") if number > kills // 2 else (*KINDS, "asked")

    def nudge(self, site: Site) -> None:
        """Let the wait for the next try be over, as a minute does."""
        if monotonic() - self._nudged < NUDGE or not site.count("kept"):
            return
        self._nudged = monotonic()
        with suppress(sqlite3.OperationalError), closing(_writing(site)) as conn, conn:
            conn.execute("UPDATE kept SET next_try = 1 WHERE next_try IS NOT NULL")
            conn.execute("DELETE FROM job_runs WHERE name = 'pending'")


def _writing(site: Site) -> sqlite3.Connection:
    return sqlite3.connect(site.database, timeout=5)


def _records(*signers: str) -> dict[str, bytes]:
    return {f"sel._domainkey.{signer}": _RECORD for signer in signers}


@contextmanager
def believing(folder: Path) -> Iterator[Believing]:
    """Ended in the end."""
    place = folder / "dns"
    place.mkdir()
    setting = Believing(place)
    try:
        yield setting
    finally:
        setting.close()


# ------------------------------------------------------------------------------ cargo


class _Loading:
    """What was made so far, and what has to become of it."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.counted: dict[str, tuple[int, int]] = {}
        self.held: dict[str, str] = {}
        self.foreign: set[str] = set()
        self.failing: set[str] = set()
        self.superseded = 0

    def count(self, number: int, signer: str, *, fails: bool = False) -> None:
        """A report that counts, once its key is there."""
        domain = f"d{number}.{OURS}"
        self._add(_signed(_report(domain, number, signer, fails=fails), signer))
        self.counted[domain] = (SESSIONS, FAILED if fails else 0)
        if fails:
            self.failing.add(domain)

    def revise(self, number: int, signer: str) -> None:
        """The sender of report *number* has counted anew."""
        domain = f"d{number}.{OURS}"
        self._add(_signed(_report(domain, number, signer, successful=REVISED), signer))
        self.counted[domain] = (REVISED, 0)
        self.superseded += 1

    def repeat(self) -> None:
        """The last mail once more."""
        self.mails.append(self.mails[-1])

    def hold(self, number: int) -> None:
        """Nobody signed it; it says that something fails."""
        domain = f"d{number}.{OURS}"
        self._add(_report(domain, number, PROMPT, fails=True))
        self.held[domain] = "signature"

    def forge(self, number: int, signer: str) -> None:
        """Report *number* without a signature: it never counts beside the signed one."""
        self._add(_report(f"d{number}.{OURS}", number, signer))

    def mislead(self, number: int, signer: str) -> None:
        """Signed, and about somebody else."""
        domain = f"d{number}.{STRANGERS}"
        self._add(_signed(_report(domain, number, signer, fails=True), signer))
        self.held[domain] = "foreign"

    def mix(self, number: int, signer: str) -> None:
        """About us and somebody else."""
        domain, other = f"d{number}.{OURS}", f"d{number}.{STRANGERS}"
        self._add(_signed(_report(domain, number, signer, more=(other,)), signer))
        self.counted[domain] = (SESSIONS, 0)
        self.foreign.add(other)

    def other(self, number: int) -> None:
        """A letter."""
        letter = mails.letter(subject=f"Lunch {number}")
        self.mails.append(Mail(letter.replace(b"\n", b"\r\n"), "letter"))

    def spoil(self, number: int) -> None:
        """What nobody can read."""
        broken = mails.mail(f'{{"policies": [{number}'.encode(), newline="\r\n")
        self.mails.append(Mail(broken, "bad"))

    def _add(self, raw: bytes) -> None:
        self.mails.append(Mail(raw, "report"))


def signed_cargo(count: int) -> Cargo:
    """*count* mails of all kinds."""
    made = _Loading()
    kinds: dict[int, Callable[[int], None]] = {
        0: lambda number: made.count(number, PROMPT, fails=True),
        2: lambda _: made.repeat(),
        3: lambda number: made.count(number, LATE, fails=True),
        4: lambda _: made.repeat(),
        5: made.hold,
        6: lambda _: made.repeat(),
        7: made.other,
        8: lambda number: made.forge(number + 1, PROMPT),
        10: lambda number: made.mislead(number, PROMPT),
        11: lambda number: made.count(number, LATE),
        12: lambda number: made.revise(number - 1, LATE),
        13: made.spoil,
        14: lambda number: made.mislead(number, LATE),
        15: lambda number: made.mix(number, LATE),
        16: lambda number: made.count(number, LATE),
        17: lambda number: made.forge(number - 1, LATE),
        19: lambda number: made.revise(number - 1, PROMPT),
    }
    for number in range(count):
        kinds.get(number % EVERY, lambda number: made.count(number, PROMPT))(number)
    return Cargo(
        mails=tuple(made.mails),
        counted=made.counted,
        superseded=made.superseded,
        failing=frozenset(made.failing),
        held=made.held,
        foreign=frozenset(made.foreign),
        trust="pass",
    )


def _report(
    domain: str,
    number: int,
    signer: str,
    *,
    fails: bool = False,
    successful: int = SESSIONS,
    more: Sequence[str] = (),
) -> bytes:
    """One day of a domain, as the mail before it is signed; a revision is dated later."""
    row = mails.detail(mx=f"mx{number}.example.net", failed=FAILED)
    on = day(1 + number % 3)
    policies = [
        mails.policy(one, successful=successful, details=(row,) if fails else ())
        for one in (domain, *more)
    ]
    at = "10" if successful == SESSIONS else "11"
    return mails.mail(
        mails.report(domain, on, policies=policies),
        sender=f"tlsrpt@{signer}",
        submitter=signer,
        date=f"{written(on)} {at}:00:00 +0000",
        newline="\r\n",
    )


def _signed(raw: bytes, signer: str) -> bytes:
    return sign(raw, domain=signer, key=_PRIVATE)
