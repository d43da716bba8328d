"""The paths in MAIL FROM and RCPT TO (RFC 5321, 4.1.2), read as leniently as they are sent."""

import re

NULL_SENDER = "<>"

_QUOTED = re.compile(r'<((?:[^">]|"(?:[^"\\]|\\.)*")*)>')
_ANGLED = re.compile(r"<([^>]*)>")
_ROUTE = re.compile(r"@[^:]*:")


def parse_path(arg: str) -> tuple[str | None, str | None]:
    """
    Split ``<user@example.com> SIZE=1234`` into address and parameters.

    Any address is taken, for a sender's says nothing here and a recipient's is
    compared with ours. The empty one is given as ``<>``; a source route is
    dropped (RFC 5321, appendix C). (None, None) where there is no address.
    """
    arg = arg.strip()
    if not arg.startswith("<"):
        address, _, rest = arg.partition(" ")
        return (address, rest.strip()) if address else (None, None)
    found = _QUOTED.match(arg) or _ANGLED.match(arg)
    if found is None:
        return None, None
    address = _ROUTE.sub("", found[1].strip(), count=1) if found[1].startswith("@") else found[1]
    return address.strip() or NULL_SENDER, arg[found.end() :].strip()
