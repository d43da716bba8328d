"""What the operator reads by another way: the relay takes no mails, or does so again."""

import msgspec

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.report.times import Time


class RelayTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of it."""

    relay: str
    """Its host and port."""
    host: str
    """Ours."""
    since: Time
    """The first mail that waits was to go out then."""
    waiting: int
    answer: str
    """What the relay said last, or why nobody answers."""


def began(trouble: RelayTrouble, now: Time, *, again: bool) -> tuple[str, str]:
    """Subject and text: mails wait (*again*: still)."""
    still = "still " if again else ""
    mails = words.plural(trouble.waiting, "mail")
    host, relay = words.name(trouble.host), words.safe(trouble.relay, 80)
    lines = [
        *words.wrap(f"{mails} of tlsrpt-mailer on {host} {still}cannot be handed over."),
        *words.wrap(
            f"The oldest has waited since {words.moment(trouble.since, now)}"
            f" ({words.length(now - trouble.since)}). Alerts among them reach nobody meanwhile."
        ),
        "",
        f"The relay is {relay}. The last try:",
        *words.wrap(words.safe(trouble.answer, 300), "    ", "    "),
        "",
        "WHAT TO DO",
        "    tlsrpt-mailer alerts test                 can the relay be used now?",
        "    tlsrpt-mailer alerts --state waiting      what waits",
        "    tlsrpt-mailer status",
        "  The relay's address stands in [alerts.smtp]; its log says why it refuses.",
        "",
        "WHAT COMES NEXT",
        "  Each mail is tried at least hourly, for five days, and goes out by itself",
        "  once the relay takes it. Mails to the operator come this way meanwhile.",
        "  You hear of this again in a day, and when mails flow again.",
    ]
    return f"OPERATOR mails {still}wait: {relay} does not take them", "\n".join(lines) + "\n"


def over(trouble: RelayTrouble, now: Time) -> tuple[str, str]:
    """Subject and text: mails flow again."""
    host, relay = words.name(trouble.host), words.safe(trouble.relay, 80)
    lines = [
        *words.wrap(f"{relay} takes the mails of tlsrpt-mailer on {host} again."),
        *words.wrap(
            f"Some had waited since {words.moment(trouble.since, now)}"
            f" ({words.length(now - trouble.since)}). Nothing waits now."
        ),
        "",
        "If any were given up meanwhile:    tlsrpt-mailer alerts --state failed",
        "What you got this way you may now get by mail as well.",
    ]
    return f"OPERATOR mails flow again: {relay} takes them", "\n".join(lines) + "\n"
