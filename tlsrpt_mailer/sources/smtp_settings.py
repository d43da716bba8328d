"""The settings of a listener, apart from it: commands read these and need no asyncio."""

import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from tlsrpt_mailer.config.units import Size
from tlsrpt_mailer.report.times import MINUTE, Span
from tlsrpt_mailer.sources.listen import parse_listen
from tlsrpt_mailer.sources.recipients import Recipients

Count = Annotated[int, msgspec.Meta(ge=1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a source of kind ``lmtp`` or ``smtp``."""

    listen: str
    """``"127.0.0.1:8825"``, ``"[::1]:8825"``, ``"/path/of/socket"``, ``"systemd"`` or
    ``"systemd:NAME"`` for sockets handed over by a socket unit."""
    recipients: tuple[str, ...]
    """Whose mail is taken: addresses (with any ``+detail``) or ``"@example.com"`` for a domain."""
    hostname: str = ""
    """How we introduce ourselves; empty: this machine's name."""
    tls_cert: str | None = None
    """Certificate chain (PEM) for STARTTLS, which is offered then, never demanded. Read again
    when it changes."""
    tls_key: str | None = None
    """Its key (PEM), without a passphrase."""
    owner: str | None = None
    """Who owns the unix socket."""
    group: str | None = None
    """Its group; connecting needs the right to write to it."""
    mode: Annotated[str, msgspec.Meta(pattern="^0?[0-7]{3}$")] = "0660"
    """Its mode, in octal."""
    max_size: Annotated[Size, msgspec.Meta(ge=64 * 1024, le=256 * 1024 * 1024)] = 16 * 1024 * 1024
    """The largest mail taken, in bytes."""
    max_connections: Count = 100
    """All together."""
    max_connections_per_peer: Count = 10
    """From one IPv4 address or IPv6 /64; not for loopback and unix sockets."""
    timeout: Annotated[Span, msgspec.Meta(ge=1)] = 5 * MINUTE
    """How long a peer may take for a command (RFC 5321, 4.5.3.2.7), and for a mail a second more
    for each KiB; and, six times as long, without a mail being taken."""
    max_commands: Count = 100
    """How many commands may come without a mail being taken."""
    max_errors: Count = 20
    """How many commands may be refused without a mail being taken."""
    postmaster_to: str | None = None
    """Hand mail for postmaster on to this address; without it such mail is refused."""
    forward_ignored_to: str | None = None
    """Hand mail that is no report on to this address, in place of keeping it."""

    def __post_init__(self) -> None:
        """Raise ValueError for what types alone cannot say, all of it at once."""
        problems = []
        try:
            parse_listen(self.listen)
        except ValueError as error:
            problems.append(f"listen: {error}")
        try:
            problems += self._forwarding(Recipients(self.recipients))
        except ValueError as error:
            problems.append(f"recipients: {error}")
        if (self.tls_cert is None) != (self.tls_key is None):
            problems.append("tls_cert and tls_key: one without the other")
        if problems:
            raise ValueError("; ".join(problems))

    def _forwarding(self, recipients: Recipients) -> Iterator[str]:
        for key in ("postmaster_to", "forward_ignored_to"):
            address = getattr(self, key)
            if address is None:
                continue
            if not re.fullmatch(r"[^\s@]+@[^\s@]+", address):
                yield f'{key}: "{address}" must be an address'
            elif recipients.match(address) or (
                self.postmaster_to is not None and recipients.is_postmaster(address)
            ):
                yield f"{key}: {address} is among recipients, mail would go round"
