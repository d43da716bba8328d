"""From a `Document` to plain text and HTML: the templates, and what they may call."""

import functools
import re

import jinja2

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.document import Document, Section

COLOURS = {
    "CRITICAL": "#b3001b",
    "REGRESSED": "#b3001b",
    "WARNING": "#b35c00",
    "RESOLVED": "#1e7a34",
    "WELL": "#1e7a34",
}
OTHER_COLOUR = "#4a5a70"

DAYS = {
    ".": ("#cdeed6", "#12351d", "all worked"),
    "-": ("#fff3bf", "#3d3200", "under 1 % failed"),
    "+": ("#ffdd8a", "#3d2b00", "under 10 % failed"),
    "#": ("#f7a072", "#3d1400", "10 to 50 % failed"),
    "@": ("#b3001b", "#ffffff", "over half failed"),
    " ": ("#eeeeee", "#595959", "no report"),
    "?": ("#e3e6ea", "#40454d", "not here yet"),
}
"""What a character of the week means: background, text, words. Never the colour alone."""


def as_text(document: Document) -> str:
    """Plain ASCII, 78 columns at most, ending with a newline."""
    text = _environment().get_template("alert.txt.j2").render(document=document)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def as_html(document: Document, subject: str) -> str:
    """The same words in the same order; no links, no images, nothing remote."""
    colour = COLOURS.get(document.label.rpartition(" ")[2], OTHER_COLOUR)
    template = _environment().get_template("alert.html.j2")
    return template.render(document=document, subject=subject, colour=colour, days=DAYS)


@functools.cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("tlsrpt_mailer.alerts", "templates"),
        autoescape=jinja2.select_autoescape(("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters.update(wrap=_wrap, heading=_heading, trim_end=str.rstrip)
    return made


def _wrap(text: str, indent: str = "", width: int = words.WIDTH, first: str | None = None) -> str:
    return "\n".join(words.wrap(text, indent, first, width))


def _heading(section: Section) -> str:
    """The title, and beside or under it what is said on its line."""
    title = f"{section.title}  {section.aside}" if section.aside else section.title
    return (
        title
        if len(title) <= words.WIDTH
        else "\n".join(words.wrap(section.title) + words.wrap(section.aside, "  "))
    )
