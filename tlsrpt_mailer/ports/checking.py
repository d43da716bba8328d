"""What checking domains asks of the network."""

from typing import Protocol

from tlsrpt_mailer.domains.seen import Answer, Page, RecordType, Shown


class Scout(Protocol):
    """Who looks at what domains publish and show. Thread-safe; no call ever raises."""

    def ask(self, name: str, kind: RecordType) -> Answer:
        """One question to DNS."""

    def page(self, domain: str) -> Page:
        """The MTA-STS policy of *domain*, fetched as a sender would (RFC 8461, 3.3)."""

    def show(self, host: str, ip: str) -> Shown:
        """STARTTLS on port 25 of one address of an MX host, and what it shows."""
