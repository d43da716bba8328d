"""Whose word counts."""

from collections.abc import Collection

from tlsrpt_mailer.report.marks import is_marked


def known(
    reporter: str,
    shipped: Collection[str],
    configured: Collection[str],
    established: Collection[str],
) -> bool:
    """
    Whether a reporter has standing: never under a name that says that nothing is proven.

    Args:
        reporter: Its organisational domain, in lower case, with a mark where it bears one.
        shipped: Large senders that this program knows by name.
        configured: Those that the operator trusts.
        established: Those with three or more counted windows over seven days with successes.
    """
    if is_marked(reporter):
        return False
    return reporter in shipped or reporter in configured or reporter in established
