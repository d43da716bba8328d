"""Lists of tags, as signatures and keys have them (RFC 6376, 3.2)."""

from tlsrpt_mailer.errors import BadReport

MAX_BYTES = 8_192


def tags(value: bytes, what: str) -> dict[str, str]:
    """
    The tags in *value*; names as they are, values without blanks around them.

    Args:
        what: What errors call it.

    Raises:
        BadReport: It is no such list, is too long, or says a thing twice.

    """
    if len(value) > MAX_BYTES:
        raise BadReport(f"{what} is too long")
    found: dict[str, str] = {}
    for item in value.decode("utf-8", "replace").split(";"):
        name, equals, text = item.partition("=")
        name = name.strip()
        if not equals and not name:
            continue
        if not equals or not name or name in found:
            raise BadReport(f"{what} is malformed")
        found[name] = text.strip()
    return found
