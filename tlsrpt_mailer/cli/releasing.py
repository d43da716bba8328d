"""`reports release`: read held reports anew, or take them as they are."""

from collections import Counter
from collections.abc import Iterator, Sequence

import click
import msgspec

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.held import why
from tlsrpt_mailer.cli import opening, options, out, people
from tlsrpt_mailer.errors import NoSuch, Temporary
from tlsrpt_mailer.ports import AuditEntry, JsonValue, RawMail
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.rows import HeldMail
from tlsrpt_mailer.wiring import App

BATCH_MAILS = 20
BATCH_BYTES = 8 * 1024 * 1024
NAMED = 200
"""How many numbers the audit names."""
NEW = ("stored", "superseded", "duplicate")


class Released(msgspec.Struct):
    """What became of the mails."""

    outcomes: Counter[str]
    """Outcome to number of mails."""
    reasons: Counter[str]
    """Why reports are still held, to number of reports."""
    domains: bool = False
    """Whether some are held for the domains that they are about."""
    gone: int = 0
    """Mails whose bytes are not kept any more."""


@click.command()
@click.argument("ids", type=int, metavar="[ID]...", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="Every report that is held.")
@click.option("--as-is", is_flag=True, help="Take your word for who wrote them.")
@click.option("--note", metavar="TEXT", help="Why, for those who read the audit.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def release(ids: tuple[int, ...], all_: bool, as_is: bool, note: str | None, json_: bool) -> None:
    """Check held reports again, as after a change of the configuration.

    ID are their numbers in `reports --held`. Each mail is read anew under the
    present configuration: what is found to be signed, and about your domains,
    counts from now on; the rest stays held. With one report all those of its
    mail are checked. With --as-is it is you who says that they are genuine:
    no signature is needed. Exit codes: 0 checked, 1 nothing could be checked,
    75 the database cannot be written now.

    \b
    Examples:
      tlsrpt-mailer reports release --all
      tlsrpt-mailer reports release 1204 --as-is --note "came by courier"
    """
    if bool(ids) == all_:
        raise click.UsageError("name reports by their ID, or say --all")
    config = opening.load()
    with opening.reading(config) as reader, opening.writing(config) as app:
        mails = reader.held_mails(None if all_ else ids)
        if mails:
            _note(app, mails, as_is=as_is, note=people.cut(note), numbers=ids)
        found = _release(reader, app, mails, as_is=as_is)
    if json_:
        out.as_json(_form(found))
    else:
        click.echo("\n".join(_lines(found, all_=all_)))
    if found.outcomes["failed"]:
        raise Temporary("not everything was checked; try again (the log lines above say why)")
    if found.gone and not found.outcomes.total():
        raise NoSuch("no mail is left that could be checked")


def _release(reader: Reader, app: App, mails: Sequence[HeldMail], *, as_is: bool) -> Released:
    found = Released(Counter(), Counter(), gone=sum(not one.is_kept for one in mails))
    # Alerts wait until all is judged: what one report breaks the next may mend.
    with app.import_under_way() as alive:
        for batch in _batches(reader, mails, as_is=as_is):
            alive()
            found.outcomes.update(receipt.outcome for receipt in app.deliver(batch))
    held = reader.still_held([one.mail for one in mails if one.is_kept])
    found.reasons.update(why(held_for, reason) for held_for, reason in held)
    found.domains = any(held_for in ("foreign", "proposed") for held_for, _ in held)
    return found


def _batches(reader: Reader, mails: Sequence[HeldMail], *, as_is: bool) -> Iterator[list[RawMail]]:
    batch: list[RawMail] = []
    size = 0
    for one in mails:
        if not one.is_kept:
            continue
        try:
            raw = reader.kept_raw(one.mail)
        except NoSuch:
            # Somebody else has released it meanwhile, or it was verified.
            continue
        batch.append(
            RawMail(
                raw,
                one.source,
                one.taken_at,
                file_name=one.file_name,
                keep_ignored=True,
                again=True,
                trusted=as_is or one.is_vouched,
            )
        )
        size += len(raw)
        if len(batch) >= BATCH_MAILS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _note(
    app: App, mails: Sequence[HeldMail], *, as_is: bool, note: str | None, numbers: Sequence[int]
) -> None:
    """Put on record who asked for it, before anything comes of it."""
    reports = sorted({number for one in mails for number in one.reports})
    target: dict[str, JsonValue] = {"reports": (list(numbers) or reports)[:NAMED]}
    if len(reports) > NAMED:
        target["more"] = len(reports) - NAMED
    action = "release-as-is" if as_is else "release"
    entry = AuditEntry(options.now(), people.who(), people.WAY, action, target, note)
    with app.store.write() as txn:
        txn.people.save_audit(entry)


def _lines(found: Released, *, all_: bool) -> list[str]:
    """``14 mails checked again: 12 count now, 2 are still held``, and why."""
    checked, counts = found.outcomes.total(), found.outcomes
    if not checked and not found.gone:
        return ["No report is held." if all_ else "Nothing was checked."]
    said = [
        _count(counts["stored"], "counts now", "count now"),
        _count(
            counts["superseded"] + counts["duplicate"],
            "was here already, or a newer version of it",
            "were here already, or newer versions of them",
        ),
        _count(counts["held"], "is still held", "are still held"),
        _count(counts["quarantined"] + counts["ignored"], "cannot be read", "cannot be read"),
        _count(counts["failed"], "could not be stored", "could not be stored"),
    ]
    lines = []
    if checked:
        parts = ", ".join(part for part in said if part)
        lines.append(f"{words.plural(checked, 'mail')} checked again: {parts}.")
    if found.gone:
        gone = _count(found.gone, "mail is", "mails are")
        lines.append(f"{gone} not kept any more, and cannot be checked.")
    width = max((len(words.number(count)) for count in found.reasons.values()), default=0)
    for reason, count in sorted(found.reasons.items(), key=_most_first):
        lines.append(f"  {words.number(count):>{width}}  {reason}")
    if found.domains:
        lines.append("Whose the domains are: tlsrpt-mailer domains")
    return lines


def _most_first(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def _count(number: int, one: str, many: str) -> str:
    return f"{words.number(number)} {one if number == 1 else many}" if number else ""


def _form(found: Released) -> dict[str, object]:
    counts = found.outcomes
    return {
        "mails": counts.total(),
        "counted": counts["stored"],
        "known": counts["superseded"] + counts["duplicate"],
        "held": counts["held"],
        "unreadable": counts["quarantined"] + counts["ignored"],
        "failed": counts["failed"],
        "gone": found.gone,
        "reasons": [
            {"reason": reason, "reports": count}
            for reason, count in sorted(found.reasons.items(), key=_most_first)
        ],
    }
