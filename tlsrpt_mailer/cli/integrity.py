"""What `status` says of the database file itself: sound, or damaged and what to do."""

from pathlib import Path

import msgspec

from tlsrpt_mailer import log
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli.parts import Part
from tlsrpt_mailer.errors import Corrupt
from tlsrpt_mailer.failures.model import SEVERITIES
from tlsrpt_mailer.flows.integrity import Looked
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store import retention
from tlsrpt_mailer.store.rows import Totals
from tlsrpt_mailer.store.trouble import RESTORE

NOTHING = Totals(
    domains=0,
    sessions=0,
    failed=0,
    reporters=0,
    last_report=None,
    held=0,
    quarantined=0,
    ignored=0,
    waiting_letters=0,
    failed_letters=0,
    sent_today=0,
    last_sent=None,
    open_failures=dict.fromkeys(SEVERITIES, 0),
)
"""The figures of a database that cannot be read."""


def judged(store: Part, looked: Looked | None, now: Time) -> Part:
    """The line about the *store*, with what was found when the whole file was read last."""
    if looked is None:
        return store
    when = "just now" if looked.at >= now else words.when(looked.at, now)
    if not looked.problems:
        return msgspec.structs.replace(store, more=(*store.more, f"the file is sound, read {when}"))
    said = tuple(log.safe(problem, 300) for problem in looked.problems)
    return Part("FAIL", "store", f"{store.what}: corrupt, found {when}", (*said, RESTORE))


def inspected(path: Path, now: Time) -> Looked:
    """What a close look at the whole file finds now."""
    try:
        return Looked(now, tuple(retention.check(path, thorough=True)))
    except Corrupt as error:
        return Looked(now, (str(error).partition("\n")[0],))


def unreadable(error: Exception) -> Part:
    """The line about a database that could not even be asked."""
    first, *rest = str(error).splitlines()
    return Part("FAIL", "store", log.safe(first, 300), tuple(log.safe(line, 300) for line in rest))
