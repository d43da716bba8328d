"""What a person wrote in a reply: its lines without quotes, headings of quotes and signatures."""

import re

_LINES = 400
_CHARS = 1_000

_QUOTED = (">", "|", "\u2502")
# "On Mon, 23 Nov 2026, TLS reports wrote:", by the words that mail programs use.
_HEADING_BEGINS = re.compile(
    r"(on|am|le|el|il|op|den|em|em\s\w+|w\sdniu|dnia|em|vào|p[åa]|\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d)\b",
    re.I,
)
_HEADING_ENDS = re.compile(
    r"(\bwrote|\bschrieb\b.{0,200}|\ba écrit|\bescribió|\bha scritto"
    r"|\bschreef\b.{0,200}|\bskrev\b.{0,200}|\bescreveu|\bnapisał(\(a\))?\b.{0,200}|\bkirjoitti)\s*:?\s*$",
    re.I,
)
_HEADING_LINES = 4
# From here on everything is the mail that is answered, without marks.
_ORIGINAL = re.compile(
    r"-{2,}\s*(original message|original appointment|forwarded message|ursprüngliche nachricht"
    r"|weitergeleitete nachricht|message d'origine|mensaje original|messaggio originale"
    r"|oorspronkelijk bericht)\s*-{2,}|_{20,}",
    re.I,
)
_FROM = re.compile(r"\*{0,2}(from|von|de|da|van|från|fra|od)\s?:\*{0,2}\s*\S", re.I)
_SENT = re.compile(
    r"\*{0,2}(sent|gesendet|date|datum|envoyé|enviado|inviato|data|verzonden|skickat|sendt|to|an|à"
    r"|para|a|aan|till|til|do|subject|betreff|objet|asunto|oggetto|onderwerp|ämne|emne|temat)"
    r"\s?:",
    re.I,
)
_SIGNATURE = re.compile(r"--\s?|—")
_APPENDED = re.compile(
    r"(sent from my|sent from outlook|sent with|get outlook for|von meinem .{1,40} gesendet"
    r"|gesendet von|envoyé de mon|enviado desde)\b.{0,80}",
    re.I,
)
# No-break and other blanks; what has no width.
_BLANKS = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000\t]")
_NOTHING = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def said(text: str) -> list[str]:
    """The lines that the writer of a reply added; ``""`` where something was left out between."""
    lines = [_plain(line) for line in text.splitlines()[:_LINES]]
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if _is_end(lines, at):
            break
        skipped = _heading(lines, at)
        if skipped or line.startswith(_QUOTED) or _APPENDED.fullmatch(line) or not line:
            kept.append("")
        else:
            kept.append(line)
        at += max(1, skipped)
    return _trimmed(kept)


def _plain(line: str) -> str:
    return " ".join(_NOTHING.sub("", _BLANKS.sub(" ", line[:_CHARS])).split())


def _is_end(lines: list[str], at: int) -> bool:
    """Whether a signature begins here, or the mail that is answered."""
    line = lines[at]
    if _SIGNATURE.fullmatch(line) or _ORIGINAL.fullmatch(line):
        return True
    after = next((one for one in lines[at + 1 : at + 3] if one), "")
    return bool(_FROM.match(line) and _SENT.match(after))


def _heading(lines: list[str], at: int) -> int:
    """How many lines the heading of a quote takes that begins here; 0 where there is none."""
    # Zoho sets it between hyphens.
    if not _HEADING_BEGINS.match(lines[at].lstrip("- ")):
        return 0
    joined = ""
    for count, line in enumerate(lines[at : at + _HEADING_LINES], 1):
        if not line or line.startswith(_QUOTED):
            return 0
        joined = f"{joined} {line}"
        if _HEADING_ENDS.search(joined[-400:].rstrip("- ")):
            return count
    return 0


def _trimmed(lines: list[str]) -> list[str]:
    """Without blank lines at the ends, or two in a row."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    if kept and not kept[-1]:
        kept.pop()
    return kept
