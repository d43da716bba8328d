"""The examples of alert-mails.md; ``python -m tests.alerts.reference`` writes them."""

from pathlib import Path

from tests.alerts.every_kind import EVERY
from tests.alerts.examples import NOW, at, context
from tlsrpt_mailer.alerts.answering import AnswerOutcome, render_answer
from tlsrpt_mailer.alerts.model import Rendered
from tlsrpt_mailer.alerts.render import render

PAGE = Path(__file__).parents[2] / "docs/reference/alert-mails.md"
BEGIN, END = "<!-- examples: python -m tests.alerts.reference -->", "<!-- /examples -->"

ABOUT = {
    "new": "The whole mail. The fourth line is the one that lets somebody sleep on.",
    "new, mended by now": "Our own look at the MX, after the day that the report is about, is well:"
    " a warning in place of a critical failure.",
    "new, after a move": "The sender holds the policy of before; until when is said.",
    "new, merged": "One cause at many domains.",
    "found": "What no sender reports: our own look at the domain (`[checks]`) found it.",
    "found, at many": "One MX host, many domains.",
    "found, over": "The look that does not find it any more ends it.",
    "joined": "More domains fail for a cause that somebody has acknowledged already.",
    "worsened": "`Why you hear of it again` names one reason: the first of those that are new.",
    "worsened, after an ack": "An acknowledgement that is lifted by it is named.",
    "not-fixed": 'Only a report about a time after the "fixed" contradicts it.',
    "regressed": "With what is known of the last time.",
    "resolved": "How it is known, and how long it took.",
    "partly resolved": "Once for each cause; the next mail tells the end of the rest.",
    "maintenance": "One mail over all causes.",
    "reminder": "All that is open and unanswered, one mail a day at most.",
    "summary": "The first start on an old mailbox; each cause is explained below the list.",
    "flood": "What `alerts.max_per_hour` held back.",
    "escalated": "As *new*, to `escalate_to`; the last of the first lines says why.",
}
SHOWN = {
    "new, mended by now": ("SEEN FROM HERE",),
    "new, after a move": ("SEEN FROM HERE", "THE POLICY", "CHANGED"),
    "new, merged": ("THE DOMAINS", "ANSWER THIS MAIL"),
    "found": ("WHAT IS WRONG", "HOW TO MEND IT", "IS IT STILL SO?", "CHANGED", "WHAT COMES NEXT"),
    "found, at many": ("WHAT IS WRONG", "HOW TO MEND IT", "THE DOMAINS"),
    "found, over": ("HOW WE KNOW", "IN ALL"),
    "regressed": ("LAST TIME",),
    "resolved": ("HOW WE KNOW", "IN ALL", "SO THAT IT DOES NOT COME BACK"),
    "partly resolved": ("WHO DID WHAT",),
    "maintenance": ("WHAT REMAINS",),
    "reminder": ("STILL OPEN", "ANSWER THIS MAIL", "WHAT COMES NEXT"),
    "summary": ("OPEN, worst first", "READ"),
    "flood": ("BY CAUSE", "WHAT COMES NEXT"),
}
"""The sections of which the example shows the beginning; of "new" all of them."""


def examples() -> str:
    """The part of the page between the two marks."""
    found = [
        f"### {kind[:1].upper()}{kind[1:]}\n\n{about}\n\n{_block(kind, render(*EVERY[kind]()))}"
        for kind, about in ABOUT.items()
    ]
    return "\n\n".join([*found, _answers()])


def _answers() -> str:
    noted = AnswerOutcome(
        what="noted",
        who="ana@example.com",
        at=at("2026-10-14T12:05"),
        verb="ack",
        failures=((17, "example.com"),),
        until=at("2026-11-13T12:05"),
        note="renewing now",
        original_subject="CRITICAL example.com: certificate expired on mx1.example.com [tlsrpt 17]",
    )
    lost = AnswerOutcome(
        what="not-understood",
        who="ana@example.com",
        at=at("2026-10-14T12:05"),
        first_line="akc, on it",
        original_subject=noted.original_subject,
    )
    blocks = [
        _block("answer", render_answer(one, context(now=NOW + 1400)), ("WRITE ONE OF THESE",))
        for one in (noted, lost)
    ]
    return "### Answers to answers\n\nEach answer is answered, once.\n\n" + "\n\n".join(blocks)


def _block(kind: str, rendered: Rendered, titles: tuple[str, ...] = ()) -> str:
    body, _, _ = rendered.text.partition("\n\n-- \n")
    if kind == "new":
        text = rendered.text.rstrip("\n")
    else:
        head, *rest = body.split("\n\n")
        wanted = titles or SHOWN.get(kind, ())
        text = "\n\n".join([head, *_sections("\n\n".join(rest), wanted)])
    return f"```text\nSubject: {rendered.subject}\n\n{text}\n```"


def _sections(body: str, wanted: tuple[str, ...]) -> list[str]:
    """The sections with these titles; a title is the only line that begins at the margin."""
    found: list[list[str]] = []
    for line in body.splitlines():
        if line and not line.startswith(" "):
            found.append([])
        if found:
            found[-1].append(line)
    return (
        ["\n".join(lines).rstrip() for lines in found if lines[0].startswith(wanted)]
        if wanted
        else []
    )


def page(text: str) -> str:
    """The page *text* with its examples as they are now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{examples()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
