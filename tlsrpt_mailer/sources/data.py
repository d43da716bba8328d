"""The data of one mail as it comes in over SMTP: end, dots, and how much of it there is."""

from tlsrpt_mailer.sources.memory import Memory

END = b"\r\n.\r\n"
HOPELESS = 8
"""How many times its limit a mail may pass before it is not read to its end any more."""


class TooMuch(Exception):
    """The mail is larger than the limit; it was read to its end, unless *is_hopeless*."""

    def __init__(self, *, is_hopeless: bool) -> None:
        super().__init__()
        self.is_hopeless = is_hopeless


class TooBusy(Exception):
    """There was no memory for the mail; it was read to its end and may come again."""


class Collector:
    """
    Collects chunks until the lone dot.

    Only CR LF . CR LF is the end (RFC 5321, 4.1.1.4). A bare LF or CR around
    the dot is content: taking it for the end is what SMTP smuggling lives on.
    """

    def __init__(self, limit: int, memory: Memory) -> None:
        self._limit = limit
        # Stuffed dots count for nothing in the end, but they are held until then.
        self._hold = limit + limit // 3 + len(END)
        self._memory = memory
        self.held = 0
        self._trouble: TooMuch | TooBusy | None = None
        # The line break before the first line: a lone dot may come there.
        self._data = bytearray(b"\r\n")
        self.received = 0

    def feed(self, chunk: bytes) -> bytes | None:
        """
        Take a chunk in.

        Returns:
            What came after the end; None before it.
        """
        start = max(len(self._data) - len(END) + 1, 0)
        self._data += chunk
        at = self._data.find(END, start)
        if at >= 0:
            rest = bytes(self._data[at + len(END) :])
            del self._data[at + 2 :]
            self._check(len(chunk) - len(rest))
            return rest
        self._check(len(chunk))
        return None

    def content(self) -> bytes:
        """
        The mail; to be asked for once.

        Raises:
            TooMuch: It is larger than the limit.
            TooBusy: There was no memory to be had for it.
        """
        if self._trouble is not None:
            raise self._trouble
        self._memory.finish(self)
        # RFC 5321, 4.5.2: a dot at the start of a line goes.
        unstuffed = self._data.replace(b"\r\n.", b"\r\n")
        self._data = bytearray()
        with memoryview(unstuffed) as view:
            content = bytes(view[2:])
        if len(content) > self._limit:
            raise TooMuch(is_hopeless=False)
        return content

    def shed(self) -> None:
        """Let go of what has come; the rest is read and thrown away."""
        self._trouble = TooBusy()
        del self._data[: -len(END)]

    def close(self) -> None:
        """Give the memory back."""
        self._data = bytearray()
        self._memory.give_back(self)

    def _check(self, size: int) -> None:
        self.received += size
        if self.received > self._hold:
            self._give_up(TooMuch(is_hopeless=False))
        elif self._trouble is None and not self._memory.reserve(self, size):
            self._give_up(TooBusy())
        if self._trouble is not None:
            del self._data[: -len(END)]
        if self.received > HOPELESS * self._limit:
            raise TooMuch(is_hopeless=True)

    def _give_up(self, trouble: TooMuch | TooBusy) -> None:
        self._trouble = trouble
        self._memory.give_back(self)
