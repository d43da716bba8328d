"""
Host names and addresses as untrusted text: what may be believed to be one.

Only what passes `is_strict_host` or `is_ip` may stand in a command that a
person is told to paste.
"""

import ipaddress
import re

MAX_HOST = 253
"""RFC 1035, 3.1, without the dot at the end."""

# Labels of 1 to 63 letters, digits and hyphens, none at an edge: no leading
# hyphen can pass for an option. Nothing here can match in two ways.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_STRICT = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)

_FULL_STOPS = str.maketrans("\u3002\uff0e\uff61", "...")
"""What IDNA reads as a dot beside the dot (RFC 3490, 3.1)."""

_ANY_BLANK = re.compile(r"\s")


def is_strict_host(name: str) -> bool:
    """Whether *name* is a host name in letters, digits, hyphens and dots, and no address."""
    if len(name) > MAX_HOST or _STRICT.fullmatch(name) is None:
        return False
    return not name[name.rfind(".") + 1 :].isdigit()


def is_ip(text: str) -> bool:
    """Whether *text* is an IPv4 or IPv6 address, without a scope, brackets or anything else."""
    # ipaddress takes any text whatever behind a "%".
    if "%" in text or len(text) > 45:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def normalise_host(text: str) -> str | None:
    """*text* in lower case, as A-labels, without a dot at the end; None for an IP or no name."""
    name = domain_text(text)
    return name if is_strict_host(name) else None


def domain_text(text: str) -> str:
    """*text* as near to a normal domain name as it comes: for what must be kept anyhow."""
    name = text.strip().lower()
    if name[-1:] == ".":
        name = name[:-1]
    return name if name.isascii() else _a_labels(name)


def _a_labels(name: str) -> str:
    """*name* as A-labels (RFC 5890), or as it is where it has none."""
    if len(name) > MAX_HOST or _ANY_BLANK.search(name):
        return name
    labels = name.translate(_FULL_STOPS).removesuffix(".").split(".")
    try:
        return ".".join(_a_label(label) for label in labels).lower()
    except UnicodeError:
        return name


def _a_label(label: str) -> str:
    # The codec refuses empty labels and wildcards beside U-labels, so it gets
    # only the labels that need it.
    return label if label.isascii() else label.encode("idna").decode("ascii")
