"""Memory for mails that come in: so many bytes for all connections of a listener together."""

from typing import Protocol


class Holder(Protocol):
    """A mail on its way in."""

    held: int
    """How many bytes are reserved for it; written by `Memory` alone."""

    def shed(self) -> None:
        """Let go of all that is held: another mail needs the room."""


class Memory:
    """
    Bytes to reserve and to give back; all in one thread.

    When they are short, the largest unfinished mail goes, if that is larger than
    the one that asks. So whoever begins great mails and never ends them keeps no
    report out, for those are small.
    """

    def __init__(self, limit: int) -> None:
        self.free = limit
        self._unfinished: set[Holder] = set()

    def reserve(self, holder: Holder, size: int) -> bool:
        """Whether *holder* may have *size* bytes more."""
        while size > self.free:
            largest = max(self._unfinished, key=lambda other: other.held, default=holder)
            if largest is holder or largest.held <= holder.held + size:
                return False
            largest.shed()
            self.give_back(largest)
        self.free -= size
        holder.held += size
        self._unfinished.add(holder)
        return True

    def finish(self, holder: Holder) -> None:
        """The mail is complete: it keeps what it has until it gives it back."""
        self._unfinished.discard(holder)

    def give_back(self, holder: Holder) -> None:
        """All that *holder* has, if it has anything."""
        self._unfinished.discard(holder)
        self.free += holder.held
        holder.held = 0
