"""What stood where, and since when: DNS records, the policy and certificates over time. Pure."""

import msgspec

from tlsrpt_mailer.report.times import Time


class Known(msgspec.Struct, frozen=True):
    """One value that stood somewhere, from the first look that found it to the last."""

    kind: str
    """``mx``, ``ns``, ``tlsrpt``, ``sts`` (the TXT record), ``policy`` (its file), ``tlsa`` or
    ``certificate``."""
    about: str
    """The MX host of ``tlsa``, host and address of ``certificate`` (``mx1.example.com
    192.0.2.1``), else ""."""
    value: str
    """As `notes` writes it; "" for nothing there."""
    first_at: Time
    last_at: Time
