"""What is wrong with a domain, as a look at it shows. Data only; `examine` finds it."""

from typing import Literal, TypeAlias

import msgspec

Weight: TypeAlias = Literal["critical", "warning", "notice", "gap", "note"]
"""
The first three are told and have a life like failures'.

``gap``: something that the domain has never had, so it is counted and listed, but mailed to
nobody. ``note``: worth knowing, nothing to mend.
"""

WEIGHTS: tuple[Weight, ...] = ("critical", "warning", "notice", "gap", "note")
TOLD: frozenset[Weight] = frozenset({"critical", "warning", "notice"})


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or worth knowing."""

    code: str
    """Its name for ever, such as ``tlsrpt-gone``; `alerts.found` has the words."""
    weight: Weight
    mx: str | None = None
    """The MX host that it is about."""
    facts: dict[str, str] = msgspec.field(default_factory=dict)
    """What the words are filled with; may hold anything that DNS may."""
