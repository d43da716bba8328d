"""
HTML as plain text, as far as it takes to read what a person typed above a quote.

No parser of the library: it needs minutes for some malformed input. What is quoted
is marked with ``>`` as in plain text.
"""

import html
import re
from collections.abc import Iterator

_TAG = re.compile(r"<[^<>]*>")
_NAME = re.compile(r"<(/?)\s*([a-zA-Z][a-zA-Z0-9]*)")
_COMMENT = "<!--"
_UNSEEN = frozenset({"head", "script", "style", "title", "xml"})
_BLOCKS = frozenset(
    {"br", "p", "div", "li", "tr", "table", "h1", "h2", "h3", "pre", "hr", "ul", "blockquote"}
)
# Gmail, Yahoo, Proton; Thunderbird's line before a quote; Outlook's header of the mail below.
_QUOTES = re.compile(
    r"gmail_quote|gmail_attr|yahoo_quoted|protonmail_quote|moz-cite-prefix|divrplyfwdmsg"
    r"|appendonsend|mail-editor-reference-message-container",
    re.I,
)
_OUTLOOK = re.compile(r"divrplyfwdmsg|appendonsend|mail-editor-reference", re.I)
_VOID = frozenset({"br", "hr", "img", "meta", "link", "input", "wbr", "col", "area", "base"})
_DEPTH = 100

ORIGINAL = "-----Original Message-----"
"""What stands for the mark behind which everything is the mail that is answered."""


def as_text(source: str) -> str:
    """The text of *source*, a line a block; quoted lines begin with ``>``."""
    reading = _Reading()
    for is_tag, piece in _pieces(_without_comments(source)):
        if is_tag:
            reading.tag(piece)
        else:
            reading.text(piece)
    return reading.result()


def _without_comments(source: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := source.find(_COMMENT, at)) >= 0:
        kept.append(source[at:start])
        end = source.find("-->", start)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join([*kept, source[at:]])


def _pieces(source: str) -> Iterator[tuple[bool, str]]:
    at = 0
    for match in _TAG.finditer(source):
        yield False, source[at : match.start()]
        yield True, match[0]
        at = match.end()
    yield False, source[at:]


class _Reading:
    """The lines so far, and what the present place lies in."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._unseen: str | None = None
        self._open: list[tuple[str, bool]] = []
        """Elements that may be quotes, with whether they are."""
        self._is_quoted = False

    def tag(self, tag: str) -> None:
        found = _NAME.match(tag)
        if found is None:
            return
        is_end, name = bool(found[1]), found[2].lower()
        if self._unseen is not None:
            if is_end and name == self._unseen:
                self._unseen = None
            return
        if name in _UNSEEN and not is_end and not tag.endswith("/>"):
            self._unseen = name
            return
        if name in _BLOCKS:
            self._end_line(is_break=name == "br")
        if name in {"div", "blockquote", "span"}:
            self._nest(name, tag, is_end)

    def _nest(self, name: str, tag: str, is_end: bool) -> None:
        if not is_end:
            if _OUTLOOK.search(tag):
                # The mail that is answered stands beside this element, not in it.
                self._end_line()
                self._lines.append(ORIGINAL)
            is_quote = name == "blockquote" or _QUOTES.search(tag) is not None
            if len(self._open) < _DEPTH:
                self._open.append((name, is_quote))
        else:
            self._close(name)
        self._is_quoted = any(is_quote for _, is_quote in self._open)

    def _close(self, name: str) -> None:
        """End the innermost element of that name, with those in it that were not ended."""
        names = [opened for opened, _ in self._open]
        if name in names:
            del self._open[len(names) - 1 - names[::-1].index(name) :]

    def text(self, text: str) -> None:
        # White space between blocks is nothing; a no-break space makes a line.
        if self._unseen is None and (self._line or text.strip(" \t\r\n")):
            self._line.append(text)

    def result(self) -> str:
        self._end_line()
        return "\n".join(self._lines)

    def _end_line(self, *, is_break: bool = False) -> None:
        if not self._line and not is_break:
            return
        line = " ".join(html.unescape("".join(self._line)).split())
        self._line.clear()
        self._lines.append(f"> {line}" if self._is_quoted and line else line)
