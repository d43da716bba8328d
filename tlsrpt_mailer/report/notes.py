"""Deviations from RFC 8460, collected while a report is read."""

NOTES_MOST = 100
"""Past it they are counted only: a hostile report could hold 160,000."""


class Notes:
    """A list of deviations that ends in a count when it grows too long."""

    def __init__(self, notes: tuple[str, ...] = ()) -> None:
        self._notes = list(notes)
        self._dropped = 0

    def add(self, path: str, what: str) -> None:
        """Note *what* about the member at *path*, as in ``policies[0].summary: missing``."""
        if len(self._notes) < NOTES_MOST:
            self._notes.append(f"{path}: {what}")
        else:
            self._dropped += 1

    def all(self) -> tuple[str, ...]:
        """Every deviation, in order."""
        if not self._dropped:
            return tuple(self._notes)
        return (*self._notes, f"and {self._dropped} more")
