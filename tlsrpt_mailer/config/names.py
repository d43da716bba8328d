"""Names and patterns of domains and MX hosts, as the configuration writes them."""

from collections.abc import Iterator

from tlsrpt_mailer.report.hosts import normalise_host

ANY = "*."
"""In front of a name: whatever lies below it, at any depth, but not the name itself."""


def normal_pattern(text: str) -> str | None:
    """
    *text* in lower case and as A-labels; None where it is no name and no pattern.

    A pattern is ``*.`` and a name, or ``*`` alone, which is every name.
    """
    text = text.strip()
    if text == "*":
        return text
    name = normalise_host(text.removeprefix(ANY))
    if name is None:
        return None
    return ANY + name if text.startswith(ANY) else name


def what_is_wrong(text: str) -> str:
    """Why *text* is no pattern, in words that follow it."""
    if "*" in text.removeprefix(ANY):
        return 'is no pattern: "*" stands only as the first label, as in "*.example.com"'
    return "is no domain name" if "." in text else "is no domain name, nor a pattern"


def names_in(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a file of names with their numbers, without blank ones and comments (#)."""
    for number, line in enumerate(text.splitlines(), 1):
        name = line.partition("#")[0].strip()
        if name:
            yield number, name
