"""
Answers to alerts by mail: who may say what, what it does, and the answer that goes back.

All of it happens in the transaction that takes the mail in, so a mail that comes
twice acts once, and a crash loses or repeats nothing. Loops end here (RFC 3834):
what no person wrote is neither acted on nor answered, every answer is answered
once, and a token gets a few answers a day at most.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec
import structlog

from tlsrpt_mailer.alerts.answering import AnswerOutcome, What, render_answer
from tlsrpt_mailer.alerts.answers import Command, parse
from tlsrpt_mailer.alerts.directory import Directory
from tlsrpt_mailer.alerts.model import Context
from tlsrpt_mailer.flows.acting import Acted, Saying, act, act_on
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.intake.reply import Reply, words_of
from tlsrpt_mailer.ports import (
    AnswerKind,
    AskedLetter,
    FailureRecord,
    Letter,
    RawMail,
    Settled,
    Txn,
)
from tlsrpt_mailer.report.times import DAY, Span, Time

log = structlog.get_logger()

VALID: Span = 14 * DAY
"""How long a token is good after everything that its mail names has ended."""
REFUSALS_A_DAY = 3
DONE_A_DAY = 30
"""Past these a token's answers are still done, but no longer answered: a robot that does not say
that it is one might answer the answer."""

Owns: TypeAlias = Callable[[str, FailureRecord], bool]
"""Whether an address may see a failure and act on it."""


class Settings(msgspec.Struct, frozen=True):
    """Who may answer, and how answers go back."""

    directory: Directory
    owns: Owns
    standing: Standing
    context: Context
    """`now`, `recipient` and `reply_to` are filled in here."""
    reply_to: str | None = None
    """The address that takes answers, without a token."""


class _Asked(msgspec.Struct, frozen=True):
    """One answer, with all that deciding about it takes."""

    mail: RawMail
    reply: Reply
    token: str
    letter: AskedLetter
    now: Time

    @property
    def who(self) -> str:
        """The person, as the audit and the answer name them."""
        return self.reply.sender or "a mail without a single sender"


class Answers:
    """`flows.ingest` hands every mail to it that brings a token along and no report."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def settle(
        self, txn: Txn, mail: RawMail, sha256: bytes, reply: Reply, now: Time
    ) -> AnswerKind | None:
        """
        Do what the answer asks for, and answer it.

        Returns:
            What became of it; None where no mail of ours had any of its tokens.

        """
        found = ((token, txn.people.letter(token)) for token in reply.tokens)
        token, letter = next(((one, there) for one, there in found if there), ("", None))
        if letter is None:
            return None
        before = txn.people.answered(sha256, token, reply.message_id)
        if before is not None:
            return before
        asked = _Asked(mail, reply, token, letter, now)
        kind, outcome = self._decide(txn, asked)
        if outcome is not None and _is_answered(kind, txn.people.answers(token, now - DAY)):
            txn.people.save_letters([self._letter(asked, kind, outcome)], now)
        txn.people.save_answer(Settled(sha256, now, token, reply.sender, kind, reply.message_id))
        log.info(
            "answer.taken",
            outcome=kind,
            sender=reply.sender,
            recipient=letter.recipient,
            reason=reply.robot,
        )
        return kind

    def _decide(self, txn: Txn, asked: _Asked) -> tuple[AnswerKind, AnswerOutcome | None]:
        reply, letter = asked.reply, asked.letter
        if reply.robot is not None:
            return "passed-over", None
        if not self._may_answer(reply.sender, letter.recipient):
            return "refused", self._outcome(asked, "not-yours")
        ended = txn.people.ended(letter.failures)
        if ended is not None and asked.now > max(ended, letter.created) + VALID:
            return "expired", self._outcome(asked, "expired")
        parsed = parse(words_of(asked.mail.raw))
        problem = parsed.problem or self._problem(parsed.commands, letter)
        if problem or not parsed.commands:
            return "not-understood", self._outcome(
                asked, "not-understood", first_line=parsed.first_line, reason=problem
            )
        done = [self._do(txn, asked, command, parsed.first_line) for command in parsed.commands]
        # What was done comes first: it is what the reader looks for.
        done.sort(key=lambda one: one.what != "noted")
        kinds: dict[str, AnswerKind] = {"noted": "done", "nothing-open": "expired"}
        first = msgspec.structs.replace(done[0], also=tuple(done[1:]))
        return kinds.get(first.what, "refused"), first

    def _may_answer(self, sender: str | None, recipient: str) -> bool:
        """Whether *sender* may answer a mail to *recipient*."""
        if sender is None:
            return False
        who, whose = sender.lower(), recipient.lower()
        if who == whose:
            return True
        allowed = {
            one.lower()
            for owner in self._settings.directory.all_owners()
            if whose in (name.lower() for name in (*owner.addresses, *owner.escalate_to))
            for one in owner.answer_from
        }
        return bool({who, "@" + who.rpartition("@")[2]} & allowed)

    def _problem(self, commands: tuple[Command, ...], letter: AskedLetter) -> str:
        """Why these commands, though well formed, cannot be done."""
        ours = {one.rpartition("@")[2].lower() for one in self._settings.directory.addresses()}
        for command in commands:
            if command.assignee and command.assignee.rpartition("@")[2].lower() not in ours:
                return (
                    f"{command.assignee} is at a domain that no configured address has: "
                    "assigning there needs an owner with such an address."
                )
            if not command.numbers and not letter.failures:
                return "That mail names no failure: say which one, such as ack 17."
        return ""

    def _do(self, txn: Txn, asked: _Asked, command: Command, first_line: str) -> AnswerOutcome:
        saying = self._saying(asked, command)
        standing = self._settings.standing
        numbers = command.numbers or asked.letter.failures
        may = self._may_act(txn, asked.letter.recipient, numbers)
        if command.numbers:
            acted = act(txn, saying, numbers, standing, asked.now, may=may)
        else:
            named = [one for one in txn.people.failures(numbers) if may(one)]
            acted = act_on(txn, saying, named, standing, asked.now)
        return self._outcome(
            asked,
            _what(acted),
            verb=command.verb,
            failures=tuple((one.id, one.verdict.identity.domain) for one in acted.done),
            left_out=(*acted.unknown, *acted.over) if command.numbers else (),
            until=acted.until,
            note=command.note,
            assignee=saying.assignee,
            first_line=first_line,
        )

    def _saying(self, asked: _Asked, command: Command) -> Saying:
        until: Time | None = None
        if command.span is not None:
            until = asked.now + command.span
        elif command.verb == "fixed":
            # What was written while the mailbox could not be read is about that time.
            until = min(asked.mail.taken_at, asked.now)
        assignee = command.assignee and self._settings.directory.spelled(command.assignee)
        return Saying(
            kind=command.verb,
            who=asked.who,
            way=f"mail (token; From {asked.who}, DKIM not checked)",
            until=until,
            note=command.note,
            assignee=assignee,
        )

    def _may_act(
        self, txn: Txn, recipient: str, numbers: tuple[int, ...]
    ) -> Callable[[FailureRecord], bool]:
        """
        What is *recipient*'s now; among the causes of *numbers*.

        To have been told once is not enough: whoever has handed a domain over answers for it
        no more. The default recipients answer for all that they are told of.
        """
        told: Collection[int] = ()
        if _is_one_of(recipient, self._settings.directory.default.addresses):
            causes = {one.cause for one in txn.people.failures(numbers)}
            told = txn.people.told(recipient, [one.id for one in txn.people.of_causes(causes)])
        return lambda record: (
            record.id in told or _has(recipient, record) or self._settings.owns(recipient, record)
        )

    def _outcome(self, asked: _Asked, what: What, **more: Any) -> AnswerOutcome:
        reply = asked.reply
        return AnswerOutcome(
            what=what,
            who=asked.who,
            at=asked.now,
            in_reply_to=reply.message_id,
            references=reply.references or (asked.letter.message_id,),
            original_subject=asked.letter.subject,
            **more,
        )

    def _letter(self, asked: _Asked, kind: AnswerKind, outcome: AnswerOutcome) -> Letter:
        """The answer: to who wrote, or to the mail's owner where a stranger did."""
        is_stranger = kind == "refused" and not self._may_answer(
            asked.reply.sender, asked.letter.recipient
        )
        recipient = asked.letter.recipient if is_stranger else asked.who
        context = msgspec.structs.replace(
            self._settings.context,
            now=asked.now,
            recipient=recipient,
            reply_to=with_token(self._settings.reply_to, asked.token),
        )
        rendered = render_answer(outcome, context)
        return Letter(rendered.message_id, recipient, rendered.subject, "answer", rendered.raw)


def _is_answered(kind: AnswerKind, before: Mapping[AnswerKind, int]) -> bool:
    """Whether one more answer of this kind is answered, after those of the last day."""
    done = before.get("done", 0)
    if kind == "done":
        return done < DONE_A_DAY
    return sum(before.values()) - done - before.get("passed-over", 0) < REFUSALS_A_DAY


def _is_one_of(address: str, addresses: Iterable[str]) -> bool:
    return address.lower() in {one.lower() for one in addresses}


def _has(address: str, record: FailureRecord) -> bool:
    """Whether the failure is assigned to *address*."""
    assigned = record.verdict.assigned
    return assigned is not None and _is_one_of(address, [assigned.assignee or ""])


def _what(acted: Acted) -> What:
    if acted.done:
        return "noted"
    return "not-yours" if acted.unknown else "nothing-open"


def with_token(address: str | None, token: str) -> str | None:
    """``tlsrpt+ack-TOKEN@example.com``; None where no source takes answers."""
    if address is None:
        return None
    local, _, domain = address.rpartition("@")
    return f"{local}+ack-{token}@{domain}"
