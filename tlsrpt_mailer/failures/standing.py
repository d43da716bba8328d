"""Whose word counts."""

from collections.abc import Collection


def known(
    reporter: str,
    shipped: Collection[str],
    configured: Collection[str],
    established: Collection[str],
) -> bool:
    """
    Whether a reporter has standing.

    Args:
        reporter: Its organisational domain, in lower case.
        shipped: Large senders that this program knows by name.
        configured: Those that the operator trusts.
        established: Those with three or more counted windows over seven days with successes.
    """
    return reporter in shipped or reporter in configured or reporter in established
