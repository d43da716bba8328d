"""Names and patterns of names: which of several lists a name stands in."""

from collections.abc import Iterable, Iterator


class Names:
    """
    Which of several lists of patterns a name stands in: the first that matches wins.

    A pattern is a name, ``*.example.com`` (all names below it, at any depth, but not
    ``example.com`` itself), or ``*`` (all names). A look-up costs as much with ten thousand
    patterns as with ten.
    """

    def __init__(self, lists: Iterable[Iterable[str]]) -> None:
        self._lists: dict[str, list[int]] = {}
        for at, patterns in enumerate(lists):
            for pattern in dict.fromkeys(patterns):
                if pattern in self._lists:
                    self._lists[pattern].append(at)
                else:
                    self._lists[pattern] = [at]
        self._has_patterns = any(pattern.startswith("*.") for pattern in self._lists)

    def find(self, name: str) -> int | None:
        """The place of the first list that *name* stands in."""
        if not self._has_patterns and "*" not in self._lists:
            # Most lists are of plain names, and most listings ask for each of ten thousand.
            return self._lists[name][0] if name in self._lists else None
        return min((at for at, *_ in self._found(name)), default=None)

    def all(self, name: str) -> list[int]:
        """The places of all lists that *name* stands in."""
        return sorted({at for places in self._found(name) for at in places})

    def _found(self, name: str) -> Iterator[list[int]]:
        for pattern in ("*", name, *(below(name) if self._has_patterns else ())):
            if pattern in self._lists:
                yield self._lists[pattern]


def below(name: str) -> Iterator[str]:
    """The patterns that *name* lies below: for ``a.b.c``, ``*.b.c`` and ``*.c``."""
    parts = name.split(".")
    for at in range(1, len(parts)):
        yield "*." + ".".join(parts[at:])
