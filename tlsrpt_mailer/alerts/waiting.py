"""The mail to the operator about reports that wait until somebody says whose domains they name."""

from collections.abc import Sequence

import msgspec

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.document import Document, code, grid, para, section
from tlsrpt_mailer.alerts.held import LISTED, footer, not_counted, operators_mail
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.report.hosts import is_strict_host


class WaitingDomain(msgspec.Struct, frozen=True, kw_only=True):
    """A domain that nobody has said is ours."""

    domain: str
    reports: int


def waiting(domains: Sequence[WaitingDomain], context: Context) -> Rendered:
    """Reports wait until somebody says whose domains they are about; for the operator."""
    count, reports = len(domains), sum(one.reports for one in domains)
    many = count > 1
    named = words.plural(count, "domain")
    asked = "are they yours?" if many else "is it yours?"
    shown = [one for one in domains if is_strict_host(one.domain)][:LISTED]
    rows = [(words.name(one.domain), words.number(one.reports)) for one in domains[:LISTED]]
    more = count - len(rows)
    document = Document(
        label="OPERATOR",
        head=(
            (
                f"{words.plural(reports, 'report')} on {named}"
                f" {'wait' if reports > 1 else 'waits'}: nobody has said that"
                f" {'they are' if many else 'it is'} yours."
            ),
            not_counted(reports),
            (
                f"No [[domains]] names {'them' if many else 'it'}, and no TLSRPT record of"
                f" {'theirs' if many else 'it'} names an address of this program."
            ),
        ),
        sections=(
            section(
                "THE DOMAINS",
                grid([("domain", "reports"), *rows], (60, 10), (1,)),
                para(f"and {words.number(more)} more: tlsrpt-mailer domains") if more > 0 else None,
            ),
            section(
                "WHAT TO DO",
                para(
                    "If they are yours, name them in the configuration:"
                    if many
                    else "If it is yours, name it in the configuration:"
                ),
                code(_stanza([one.domain for one in shown])),
                para("then:"),
                code(["tlsrpt-mailer config check && systemctl reload tlsrpt-mailer"]),
                para(
                    "What is held for them is read again at once, and counts.",
                    "If not, there is nothing to do: they go when their time is over. Each with"
                    " what its record says: tlsrpt-mailer domains",
                ),
            ),
            section(
                "WHAT COMES NEXT",
                para("You hear of this again when there are others, once a week at most."),
            ),
        ),
        footer=footer(context),
    )
    subject = f"OPERATOR reports on {named} wait: {asked} [tlsrpt]"
    return operators_mail(document, context, subject, "waiting", [one.domain for one in domains])


def _stanza(names: Sequence[str]) -> list[str]:
    if not names:
        return ["[[domains]]", 'match = ["DOMAIN"]']
    if len(names) == 1:
        return ["[[domains]]", f'match = ["{names[0]}"]']
    return ["[[domains]]", "match = [", *(f'  "{name}",' for name in names), "]"]
