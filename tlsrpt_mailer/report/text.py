"""Text from outside, made fit to be stored: valid UTF-8, no control characters, bounded."""

import re

_REPLACEMENT = "\ufffd"

# White space becomes a blank, so that words stay apart; other control
# characters and lone surrogates (which neither UTF-8 nor SQLite can hold)
# become the replacement character.
_CONTROLS: dict[int, str] = {
    code: " " if code in b"\t\n\v\f\r" else _REPLACEMENT for code in (*range(32), *range(127, 160))
}
_SURROGATES = re.compile("[\ud800-\udfff]")


def storable(text: str, chars: int) -> str:
    """*text* without control characters and lone surrogates, cut to *chars* characters."""
    if len(text) > chars:
        text = text[:chars]
    if text.isprintable():
        return text
    return _SURROGATES.sub(_REPLACEMENT, text.translate(_CONTROLS))
