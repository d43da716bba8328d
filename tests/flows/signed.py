"""A world that believes only what is signed, with keys in a DNS that a test fills."""

import time
from pathlib import Path

from tests.flows.world import STANDING, World, organisational
from tests.mails import detail, mail, report
from tests.trust.signing import found, sign
from tlsrpt_mailer.domains.ours import Ownership
from tlsrpt_mailer.flows.ingest import Ingest, Settings
from tlsrpt_mailer.flows.trusting import Trust
from tlsrpt_mailer.flows.verify import Settings as VerifySettings
from tlsrpt_mailer.flows.verify import verify
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import DAY, HOUR, Time
from tlsrpt_mailer.trust.model import KeyAnswer, Verdict

NOON: Time = (int(time.time()) // DAY + 1) * DAY + 12 * HOUR
"""Of tomorrow: dkimpy signs at the time of the machine, and a mail is signed before it is taken."""
GOOGLE, MICROSOFT, STRANGER = "google.com", "microsoft.com", "stranger.example"


class Dns:
    """What stands where; a name that is not there is absent."""

    def __init__(self) -> None:
        self.keys = {
            f"sel._domainkey.{name}": found()
            for name in (GOOGLE, MICROSOFT, STRANGER, "forwarder.example")
        }
        self.trouble = ""

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        if self.trouble:
            return KeyAnswer("trouble", error=self.trouble)
        return self.keys.get(name, KeyAnswer("absent"))


class Keys:
    """No key is ever remembered."""

    def kept(self, name: str) -> KeyAnswer | None:
        return None

    def seen(self, name: str, texts: tuple[bytes, ...], now: Time) -> None:
        pass


class Signed(World):
    """`World` with ``trust.dkim = "require"``."""

    def __init__(self, folder: Path, *, now: Time = NOON) -> None:
        super().__init__(folder, now=now)
        self.dns = Dns()
        self.owners: dict[str, Ownership] = {}
        self.number = 0
        self.configure("require")

    def configure(self, mode: str, *authserv_ids: str) -> None:
        """As after a reload."""
        settings = VerifySettings(self.dns, Keys(), organisational, authserv_ids)

        def verified(raw: bytes, taken_at: Time, forwarded: bool, within: float) -> Verdict:
            return verify(raw, taken_at, self.now, settings, forwarded=forwarded)

        def is_ours(policy: Policy) -> Ownership:
            return self.owners.get(policy.policy_domain, "ours")

        self.ingest = Ingest(
            self.store,
            Settings(
                read=lambda raw, name: read(raw, file_name=name),
                organisational=organisational,
                standing=STANDING,
                trust=Trust(dkim=mode, verify=verified, is_ours=is_ours),  # type: ignore[arg-type]
            ),
            self.clock,
        )

    def unsigned(
        self, reporter: str = GOOGLE, domain: str = "example.com", *, clean: bool = False
    ) -> bytes:
        """Another report about yesterday; each has an id of its own."""
        self.number += 1
        body = report(
            domain,
            organization=reporter,
            report_id=f"{self.number}@{reporter}",
            details=() if clean else (detail(),),
        )
        local = "tlsrpt-noreply" if reporter == MICROSOFT else "noreply-smtp-tls-reporting"
        return mail(body, submitter=reporter, sender=f"{local}@{reporter}", newline="\r\n")

    def signed(self, reporter: str = GOOGLE, domain: str = "example.com", **more: bool) -> bytes:
        """The same with a signature that verifies."""
        return sign(self.unsigned(reporter, domain, **more), domain=reporter)


def with_banner(raw: bytes) -> bytes:
    """*raw* as a gateway leaves it that writes something under every mail."""
    return raw + b"This mail came from outside.\r\n"


def vouched(raw: bytes, server: str = "mx.example.com", domain: str = GOOGLE) -> bytes:
    """*raw* as an MTA leaves it that found the signature to be good."""
    value = f"{server}; dkim=pass header.d={domain}" if server else f"dkim=pass header.d={domain}"
    return f"Authentication-Results: {value}\r\n".encode() + raw
