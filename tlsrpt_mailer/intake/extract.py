"""
All leaves of a mail, decoded, whatever its shape.

Small mails, and so nearly all reports, are read by fast-mail-parser; what it
refuses, and what is large enough to be dangerous to it, by `intake.mime`.
"""

import re
from collections.abc import Iterator

from fast_mail_parser import ParseError, PyMimePart, parse_email_tree

from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.intake.mime import Headers, Part, read_headers, walk

SMALL = 64 * 1024
"""
Up to here fast-mail-parser needs at most 31 MiB and 30 ms, whatever the bytes.

A mail of 16 MiB can make it need 6 GiB, or end the process.
"""

# An empty mbox envelope line is no header field, but begins many a saved mail.
_ENVELOPE = b"From "

_CLAIM = re.compile(rb"application/tlsrpt", re.IGNORECASE)


class Mail:
    """A mail being taken apart."""

    def __init__(self, raw: bytes, *, parts: int, depth: int, is_damaged: bool = False) -> None:
        """Take it apart at most into *parts*; one that *is_damaged* with more allowances."""
        self._raw = raw
        self._parts = parts
        self._depth = depth
        self._tree = None if is_damaged else _tree(raw)
        self.headers: Headers = read_headers(raw)[0] if self._tree is None else _headers(self._tree)

    def parts(self) -> Iterator[Part]:
        """
        The leaves in order; a mail within the mail is one.

        Raises:
            BadReport: A limit is passed; what came before was handed out.

        """
        if self._tree is None:
            return walk(self._raw, parts=self._parts, depth=self._depth, opens_mails=False)
        return self._leaves(self._tree)

    def mentions_reports(self) -> bool:
        """Whether the media type of reports stands anywhere, also past the limits."""
        return _CLAIM.search(self._raw) is not None

    def _leaves(self, tree: PyMimePart) -> Iterator[Part]:
        waiting = [(tree, 0)]
        seen = 0
        while waiting:
            node, depth = waiting.pop()
            if depth > self._depth:
                raise BadReport(f"parts are nested deeper than {self._depth} levels")
            seen += 1
            if seen > self._parts:
                raise BadReport(f"the mail has more than {self._parts} parts")
            if node.content is not None:
                yield Part(
                    node.content_type.lower(),
                    node.filename or None,
                    node.content,
                    self.headers,
                    is_nested=False,
                    depth=depth,
                )
            else:
                waiting += [(child, depth + 1) for child in reversed(node.children)]


def _tree(raw: bytes) -> PyMimePart | None:
    if len(raw) > SMALL or raw.startswith(_ENVELOPE):
        return None
    try:
        return parse_email_tree(raw)
    except ParseError:
        return None


def _headers(part: PyMimePart) -> dict[str, str]:
    return {name.lower(): values[0] for name, values in part.headers.items()}
