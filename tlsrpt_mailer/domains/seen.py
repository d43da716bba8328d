"""
What one look at a domain found: its DNS, its MTA-STS policy, what its MX hosts show. Data only.

All of it is what strangers publish: untrusted text, which is made safe where it
is printed. Names are in lower case, as A-labels, without a dot at the end.
"""

from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.times import Time

Kind: TypeAlias = Literal["found", "absent", "trouble"]
"""``absent``: DNS says that there is none (RFC 2308). ``trouble``: nobody knows."""


RecordType: TypeAlias = Literal["TXT", "MX", "NS", "A", "AAAA", "TLSA"]


class Answer(msgspec.Struct, frozen=True):
    """What came of one question to DNS."""

    kind: Kind
    values: tuple[str, ...] = ()
    """Of ``found``, sorted. TXT: the strings of a record put together, bytes beyond UTF-8 replaced.
    MX: ``10 mx1.example.com`` (``0 .`` is the null MX of RFC 7505). NS: a name. A and AAAA: an
    address. TLSA: ``3 1 1 9f2c...``, its data as lower-case hexadecimal digits."""
    secure: bool | None = None
    """Whether DNSSEC proves it, absence too; None: nobody who can be believed has validated it."""
    error: str = ""
    """Of ``trouble``: what went wrong, in few words."""
    is_bogus: bool = False
    """Of ``trouble``: with validation left aside (CD, RFC 4035, 3.2.2) there is an answer."""
    alias: str | None = None
    """The name that a CNAME led to."""
    is_ours: bool = False
    """Of ``trouble``: our own name servers answer nothing at all."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at ``https://mta-sts.DOMAIN/.well-known/mta-sts.txt`` (RFC 8461, 3.2 and 3.3)."""

    kind: Literal[
        "found", "dns", "unreachable", "timeout", "certificate", "status", "redirect", "too-large"
    ]
    """``status``: an answer other than 200; ``redirect``: one of 3yz, which is not followed."""
    status: int | None = None
    media_type: str | None = None
    """Without parameters, in lower case."""
    text: str = ""
    """Of ``found``: the policy, bytes beyond UTF-8 replaced."""
    error: str = ""
    """What went wrong, in few words."""
    address: str | None = None
    """The address that was asked last."""
    location: str | None = None
    """Of ``redirect``: where it leads."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate that a server showed."""

    subject: str
    issuer: str
    names: tuple[str, ...] = ()
    """The DNS names in subjectAltName."""
    not_before: Time
    not_after: Time
    cert_sha256: str
    cert_sha512: str
    key_sha256: str
    """Of the SubjectPublicKeyInfo (selector 1 of RFC 6698), in lower-case hexadecimal digits."""
    key_sha512: str
    is_self_signed: bool = False


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What one address of an MX host showed on port 25."""

    ip: str
    at: Time
    kind: Literal["tls", "no-starttls", "handshake", "refused", "unreachable", "timeout"]
    """``refused``: it answered, but takes no mail from here; ``handshake``: STARTTLS was offered,
    and TLS failed."""
    error: str = ""
    protocol: str | None = None
    """What was agreed on with all versions allowed: ``TLSv1.3``."""
    chain: tuple[Certificate, ...] = ()
    """As the server sent it, its own certificate first."""
    is_trusted: bool | None = None
    """Whether the chain leads to a root of this host's; None where there is no chain. Expiry
    counts as no distrust: `Certificate.not_after` tells it."""
    distrust: str = ""
    """Why it does not, in OpenSSL's words."""
    names_fit: bool | None = None
    """Whether the certificate is made out to the MX host (RFC 6125)."""


class HostSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One MX host."""

    host: str
    addresses: Answer
    """A and AAAA together."""
    tlsa: Answer
    """At ``_25._tcp.HOST`` (RFC 7672, 2.2.3)."""
    record: Answer | None = None
    """TXT at ``_smtp._tls.HOST``: looked up where there are TLSA records (RFC 8460, 3)."""
    shown: tuple[Shown, ...] = ()
    """One an address; empty where there was no probe."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One look at one domain."""

    domain: str
    at: Time
    mx: Answer
    ns: Answer
    record: Answer
    """TXT at ``_smtp._tls.DOMAIN``."""
    elsewhere: tuple[tuple[str, str], ...] = ()
    """(name, text): TLSRPT records that stand at names where nobody looks; only looked for where
    `record` holds none."""
    rua_hosts: tuple[tuple[str, Answer], ...] = ()
    """(domain, MX or else addresses) of each mailto: address in the record."""
    sts: Answer
    """TXT at ``_mta-sts.DOMAIN``."""
    page: Page | None = None
    """None where `sts` announces no policy, so nobody fetches one."""
    hosts: tuple[HostSeen, ...] = ()
    """The MX hosts, by preference; the domain itself where it has no MX (RFC 5321, 5.1)."""
    is_probing: bool | None = None
    """Whether this look was to connect to them; None in looks of before this was noted."""

    @property
    def is_cut_off(self) -> bool:
        """Whether it was our own name servers that did not answer: no fault of the domain."""
        hosts = (one for host in self.hosts for one in (host.addresses, host.tlsa))
        return any(one.is_ours for one in (self.mx, self.sts, self.record, *hosts))
