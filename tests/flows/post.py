"""Signed mails, and a DNS that tests switch on and off."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.flows.world import NOW, World, organisational
from tests.mails import mail, report
from tests.trust.signing import rsa_key, sign
from tlsrpt_mailer.domains.ours import Ownership
from tlsrpt_mailer.flows.trusting import Mode, Trust
from tlsrpt_mailer.flows.verify import Settings, verify
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store.sqlite import SqliteStore
from tlsrpt_mailer.trust.model import KeyAnswer, Verdict

KEY = f"v=DKIM1; k=rsa; p={rsa_key()[1]}".encode()
GOOGLE = "noreply-smtp-tls-reporting@google.com"


class Zone:
    """A DNS with one key for every domain in it; it can be down."""

    def __init__(self, *domains: str) -> None:
        self.domains = set(domains)
        self.is_down = False
        self.takes = 0.0
        """Seconds for a question."""
        self.time = 0.0
        self.asked = 0
        self.silent: str | None = None
        """Below this name nothing is answered."""

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        """See `flows.verify.Lookup.txt`."""
        self.asked += 1
        self.time += min(self.takes, within or 0.0)
        is_silent = self.silent is not None and name.endswith(self.silent)
        if self.is_down or is_silent or (within is not None and within <= 0):
            return KeyAnswer("trouble", error="nobody answers")
        domain = name.partition("._domainkey.")[2]
        return KeyAnswer("found", (KEY,)) if domain in self.domains else KeyAnswer("absent")


class Ours:
    """Whose domains are, as a test says."""

    def __init__(self, **owners: Ownership) -> None:
        self.owners: dict[str, Ownership] = {
            name.replace("_", "."): owner for name, owner in owners.items()
        }

    def ownership(self, policy: Policy) -> Ownership:
        return self.owners.get(policy.policy_domain, "ours")


class Post:
    """A world that verifies signatures."""

    def __init__(
        self,
        folder: Path,
        dkim: Mode = "require",
        *,
        zone: Zone | None = None,
        ours: Ours | None = None,
        trusted_before: Mapping[str, Time] | None = None,
        ids: Sequence[str] = (),
    ) -> None:
        self.zone = zone or Zone("google.com", "microsoft.com", "evil.example", "mail.ru")
        self.ours = ours or Ours()
        self._ids = ids
        self._before = trusted_before or {}
        self.dkim: Mode = dkim
        self.folder = folder
        self.world = World(folder)
        self.configure(dkim)

    def configure(self, dkim: Mode) -> None:
        """As a reload does."""
        self.dkim = dkim
        store, now = self.world.store, self.world.now
        self.world.store.close()
        del store
        self.world = World(self.folder, now=now, trust=self._trust())

    def _trust(self) -> Trust:
        def verified(raw: bytes, taken_at: Time, forwarded: bool, within: float) -> Verdict:
            settings = Settings(
                self.zone,
                self.store.keys,
                organisational,
                self._ids,
                clock=lambda: self.zone.time,
            )
            now = self.world.now
            return verify(raw, taken_at, now, settings, forwarded=forwarded, within=within)

        return Trust(
            dkim=self.dkim,
            verify=verified,
            is_ours=self.ours.ownership,
            trusted_before=self._before,
            timer=lambda: self.zone.time,
        )

    @property
    def store(self) -> SqliteStore:
        return self.world.store

    def take(self, *raws: bytes, **fields: Any) -> list[str]:
        """Deliver, and say what became of each mail."""
        return [one.outcome for one in self.world.take(*raws, **fields)]

    def again(self, *raws: bytes, **fields: Any) -> list[str]:
        """Judge these held mails anew."""
        return self.take(*raws, again=True, **fields)

    def statuses(self) -> list[tuple[object, ...]]:
        """(status, trust, held_for, reporter) of all reports, by number."""
        return self.world.rows("SELECT status, trust, held_for, reporter FROM reports ORDER BY id")

    def counted(self) -> list[str]:
        """The reporters of all windows."""
        return [str(name) for (name,) in self.world.rows("SELECT reporter FROM windows ORDER BY 1")]


def signed(raw: bytes | None = None, domain: str = "google.com") -> bytes:
    """*raw* with a valid signature of *domain*."""
    crlf = (mail(report()) if raw is None else raw).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return sign(crlf, domain=domain, at=NOW - 60 * DAY)


unsigned = partial(mail, newline="\r\n")

Make = Callable[..., Post]
"""Makes posts, each with a folder of its own; the fixture `make`."""


def forward(inner: bytes, headers: bytes = b"") -> bytes:
    """*inner* as somebody hands it on, within a mail of his own."""
    return (
        headers + b"From: ana@example.com\r\nTo: tlsrpt@example.com\r\nSubject: FYI\r\n"
        b"Date: Wed, 14 Oct 2026 11:00:00 +0000\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--out--\r\n"
    )


__all__ = ["GOOGLE", "NOW", "Make", "Ours", "Post", "Zone", "forward", "signed", "unsigned"]
