"""What is wrong with a domain: a look at it, beside what is expected and what was seen before."""

from collections.abc import Sequence

from tlsrpt_mailer.domains.blind import TROUBLE
from tlsrpt_mailer.domains.drift import Known
from tlsrpt_mailer.domains.examining import dane, hosts, mta_sts, tlsrpt
from tlsrpt_mailer.domains.examining.look import Look
from tlsrpt_mailer.domains.expected import Expected
from tlsrpt_mailer.domains.finding import WEIGHTS, Finding
from tlsrpt_mailer.domains.seen import Seen

__all__ = ["Expected", "examine"]


def examine(seen: Seen, expected: Expected, past: Sequence[Known]) -> list[Finding]:
    """
    All that is wrong, the worst first; of one code and MX host there is one finding at most.

    Args:
        seen: The look.
        expected: What it is held against.
        past: What is known of the domain; whether it holds this look already makes no difference.
    """
    look = Look(seen, expected, past)
    found = list(tlsrpt.findings(look))
    if not expected.is_mx_only:
        for subject in (mta_sts, dane, hosts):
            found += subject.findings(look)
    if seen.is_cut_off:
        # With ten thousand domains that would be thirty thousand findings about ourselves.
        found = [one for one in found if not one.code.endswith(TROUBLE)]
    return sorted(found, key=_worst_first)


def _worst_first(one: Finding) -> tuple[int, str, str]:
    return WEIGHTS.index(one.weight), one.code, one.mx or ""
