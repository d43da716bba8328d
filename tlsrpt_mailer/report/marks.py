"""
Names of reporters that a report bears without proof.

What counts though nobody signed it stands under a name of its own, so that it
is never taken for what the reporter is known to have said.
"""

_UNVERIFIED, _HISTORY = " (unverified)", " (history)"


def unverified(name: str) -> str:
    """Of a report that counts though its signature did not verify."""
    return name + _UNVERIFIED


def history(name: str) -> str:
    """Of an old report whose key has left DNS."""
    return name + _HISTORY


def bare(name: str) -> tuple[str, str]:
    """The name without its mark, and the mark (``" (unverified)"``, or ``""``)."""
    for mark in (_UNVERIFIED, _HISTORY):
        if name.endswith(mark):
            return name.removesuffix(mark), mark
    return name, ""


def is_marked(name: str) -> bool:
    """Whether *name* is one of these."""
    return name.endswith((_UNVERIFIED, _HISTORY))
