"""The text of the ``explain`` command: one result type or finding, whole, at 80 columns."""

from collections.abc import Iterable

from tlsrpt_mailer.alerts import found, words
from tlsrpt_mailer.alerts.catalogue import Entry, entry
from tlsrpt_mailer.alerts.commands import PLACEHOLDERS, outcome, shell

LABELS = {
    "enforce": "MTA-STS enforce",
    "testing": "MTA-STS testing",
    "sts": "MTA-STS",
    "dane": "DANE",
    "none": "no policy",
}


def explain(result_type: str) -> str:
    """
    What *result_type* means, does to mail, comes from, and how to see and mend it.

    Codes of findings are explained as well. Knows every string: an unknown one is explained as
    an unknown type. Ends with a newline.
    """
    if result_type in found.known_codes():
        return _finding(result_type)
    one = entry(result_type)
    title = words.safe(one.type, 60)
    lines = [
        f"{title}{one.family.rjust(words.WIDTH - len(title))}",
        *_prose([one.title]),
        "",
        "EFFECT ON MAIL",
        *_effects(one),
        "LIKELY CAUSES",
        *_numbered(one.causes),
        _show_it(one),
        *_checks(one),
        "MEND IT",
        *_numbered(one.mend),
    ]
    if one.worth:
        lines += ["WORTH KNOWING", *words.wrap(one.worth, "  ")]
    return "\n".join(lines) + "\n"


def _finding(code: str) -> str:
    """The same of what our own looks find."""
    one = found.explained(code)
    lines = [f"{code}{'found by check'.rjust(words.WIDTH - len(code))}", *words.wrap(one.what)]
    if one.why:
        lines += ["", *words.wrap(one.why)]
    lines.append("")
    if one.effect:
        lines.append("EFFECT ON MAIL")
    for key, text in one.effect.items():
        lines += words.wrap(text, " " * 20, f"  {(LABELS | _TLSA)[key]:<18}")
    lines += ["MEND IT", *_numbered(one.mend), "SHOW IT"]
    for check in one.check:
        lines += words.wrap(check.note, "  ")
        lines += [f"  {line}" for line in check.lines if line]
    return "\n".join(lines) + "\n"


_TLSA = {
    "dane_key": "DANE 3 x x",
    "dane_chain": "DANE 2 x x",
    "dane_refused": "DANE, refused",
    "dane_mismatch": "DANE, no match",
}


def _show_it(one: Entry) -> str:
    if not any("{mx}" in part for check in one.check for part in check.command):
        return "SHOW IT"
    return "SHOW IT  (with -4 and with -6, for every MX of: dig +short MX DOMAIN)"


def _prose(paragraphs: Iterable[str]) -> list[str]:
    return [line for text in paragraphs for line in words.wrap(PLACEHOLDERS.fill(text))]


def _effects(one: Entry) -> list[str]:
    return [
        line
        for key, text in one.effect.items()
        for line in words.wrap(text, " " * 20, f"  {LABELS[key]:<18}")
    ]


def _numbered(steps: Iterable[str]) -> list[str]:
    return [
        line
        for at, text in enumerate(steps, 1)
        for line in words.wrap(PLACEHOLDERS.fill(text), " " * 5, f"  {at}. ")
    ]


def _checks(one: Entry) -> list[str]:
    lines = []
    for check in one.check:
        if check.note:
            lines += words.wrap(PLACEHOLDERS.fill(check.note), "  ")
        lines += [f"  {line}" for line in shell(check, PLACEHOLDERS)]
        lines += [f"    {line}" for line in outcome(check, PLACEHOLDERS)]
    return lines
