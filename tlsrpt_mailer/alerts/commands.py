"""
Commands that can be pasted, with names from reports in them only where that is harmless.

A name enters a command when it is a strict host name, an address when it is an IP address;
anything else is shown as ``MX_HOST``, ``DOMAIN`` or ``IP``, and quoted where no shell reads it.
"""

from collections.abc import Sequence

import msgspec

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.catalogue import Check
from tlsrpt_mailer.report.hosts import is_ip, is_strict_host

INDENT = 4
ROOM = words.WIDTH - INDENT
LONGEST = ROOM - len("DOMAIN=")
"""A name past this would break the line even alone."""


class Names(msgspec.Struct, frozen=True):
    """What stands in a text for ``{domain}``, ``{mx}`` and ``{ip}``."""

    domain: str
    mx: str
    ip: str

    def fill(self, text: str) -> str:
        """*text* with the names put in; for prose as for commands."""
        filled = text.replace("{domain}", self.domain).replace("{mx}", self.mx)
        return filled.replace("{ip}", self.ip)


PLACEHOLDERS = Names("DOMAIN", "MX", "IP")


def names(domain: str, mx: str | None, ip: str | None) -> Names:
    """The names that may stand in a command; placeholders for those that may not."""
    return Names(
        domain=domain if _is_fit(domain) else "DOMAIN",
        mx=mx if mx is not None and _is_fit(mx) else "MX_HOST",
        ip=ip if ip is not None and is_ip(ip) else "IP",
    )


def _is_fit(name: str) -> bool:
    return is_strict_host(name) and len(name) <= LONGEST


def shell(check: Check, names: Names) -> list[str]:
    """The lines of the command, none wider than a mail; long names go into a variable first."""
    lines = _fold([names.fill(part) for part in check.command])
    if max(map(len, lines)) <= ROOM:
        return lines
    used = " ".join(check.command)
    # Only what `names` let pass comes here, so nothing needs quoting.
    variables = [
        f"{variable}={value}"
        for variable, mark, value in (
            ("DOMAIN", "{domain}", names.domain),
            ("MX", "{mx}", names.mx),
        )
        if mark in used
    ]
    return variables + _fold(
        [Names("$DOMAIN", "$MX", names.ip).fill(part) for part in check.command]
    )


def outcome(check: Check, names: Names) -> list[str]:
    """What is seen while it is broken and when it is mended."""
    rows = [("broken:", text) for text in check.broken] + [
        ("mended:", text) for text in check.mended
    ]
    return [
        line
        for label, text in rows
        for line in words.wrap(names.fill(text), " " * 9, f"{label}  ", width=ROOM)
    ]


def _fold(parts: Sequence[str]) -> list[str]:
    """Join *parts*, breaking lines between them as a shell understands it."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 3 <= ROOM:
            lines[-1] += f" {part}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {part}")
    return lines
