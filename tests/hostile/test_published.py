"""What a domain publishes and its hosts show is untrusted text, as reports are."""

import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import mails
from tests.domains import hostile
from tests.flows.sky import Sky
from tests.flows.test_compose import tell
from tests.flows.watching import NOW, Watch
from tests.hostile.test_strings import NASTY, ask, check_letter, quiet_streams, unprintable
from tlsrpt_mailer.domains.seen import Answer, Page, RecordType, Shown
from tlsrpt_mailer.ports import Letter
from tlsrpt_mailer.report.times import DAY, MINUTE

DOMAIN = "shop.example"
WORDS = 12
CONFIG = """\
[storage]
path = "{folder}/tlsrpt.db"
[trust]
dkim = "off"
[checks]
schedule = "off"
rua = ["mailto:tlsrpt@example.com"]
[[domains]]
match = ["shop.example", "other.example"]
"""
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("domains",),
    ("domains", "--json"),
    ("domains", "--csv"),
    ("domains", "gaps"),
    ("domains", "show", DOMAIN),
    ("domains", "show", DOMAIN, "--json"),
    ("domains", "readiness"),
    ("failures",),
    ("failures", "--json"),
    ("failures", "--all"),
    *(("failures", "show", str(number)) for number in (1, 2, 3)),
    ("failures", "show", "1", "--why"),
    ("failures", "show", "1", "--json"),
    ("record", "--offline", "--all-gaps"),
    ("status",),
    ("digest",),
    ("digest", "--json"),
)


class Stranger(Sky):
    """Answers with a stranger's words where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.words: Sequence[str] = ()
        self.page_: Page | None = None
        self.shown: Sequence[Shown] = ()

    def _some(self, *about: str) -> list[str]:
        at = hashlib.sha256(" ".join(about).encode("utf-8", "replace")).digest()[0]
        return [self.words[(at + n) % len(self.words)] for n in range(3)]

    def ask(self, name: str, kind: RecordType) -> Answer:
        """See `ports.Scout.ask`."""
        if not self.words:
            return super().ask(name, kind)
        values = self._some(name, kind)
        prefix = {"MX": "10 ", "TLSA": "3 1 1 "}.get(kind, "")
        hosts = ("mx1.shop.example",) if kind == "MX" else ()
        found = (*(f"10 {host}" for host in hosts), *(prefix + value for value in values))
        return Answer("found", found, secure=True, error=values[0], alias=values[1])

    def page(self, domain: str) -> Page:
        """See `ports.Scout.page`."""
        return self.page_ if self.words and self.page_ is not None else super().page(domain)

    def show(self, host: str, ip: str) -> Shown:
        """See `ports.Scout.show`."""
        if self.words and self.shown:
            return self.shown[len(ip) % len(self.shown)]
        return super().show(host, ip)


class Told:
    """All that the program said."""

    letters: list[Letter]
    printed: dict[str, tuple[int, str]]


def tell_of(words: Sequence[str], page: Page, shown: Sequence[Shown]) -> Told:
    """Two right looks, two at a stranger's words, two right ones; mails and commands."""
    told = Told()
    told.letters, told.printed = [], {}
    with tempfile.TemporaryDirectory() as name, quiet_streams():
        folder = Path(name)
        (folder / "config.toml").write_text(CONFIG.format(folder=folder))
        watch = Watch(folder, probe=True)
        stranger = Stranger()
        watch.sky = stranger
        watch.rewire()
        for domain in (DOMAIN, "other.example"):
            stranger.domain(domain, mode="enforce")
        watch.enrol(DOMAIN, "other.example")
        watch.at(NOW)
        # What comes from the network was decoded with "replace".
        stranger.words = [word.encode("utf-8", "replace").decode() for word in words]
        stranger.page_, stranger.shown = _plain(page), [_plain(one) for one in shown]
        for step in range(3):
            watch.soon()
            watch.at(NOW + DAY + step * 20 * MINUTE)
            if step == 1:
                row = mails.detail("validation-failure", "mx1.shop.example")
                watch.world.take(mails.mail(mails.report(DOMAIN, "2026-11-23", details=(row,))))
            told.letters += tell(watch.world)
        for command in COMMANDS:
            told.printed[" ".join(command)] = ask(folder, command)
        stranger.words = ()
        watch.soon()
        watch.at(NOW + 2 * DAY)
        told.letters += tell(watch.world)
        watch.world.store.close()
    return told


def _plain(one: Any) -> Any:  # a struct
    """Without half surrogate pairs."""
    raw = json.dumps(msgspec.to_builtins(one)).encode()
    return msgspec.json.decode(re.sub(rb"\\ud[89a-f][0-9a-f]{2}", b"?", raw), type=type(one))


@settings(max_examples=12, deadline=None)
@given(
    st.lists(hostile.texts, min_size=WORDS, max_size=WORDS),
    hostile.pages,
    st.lists(hostile.shown, max_size=3),
)
@example(list(NASTY[:WORDS]), Page(kind="found", text="mode: enforce\n" + NASTY[0]), [])
@example(list(NASTY[-WORDS:]), Page(kind="redirect", location=NASTY[1], error=NASTY[2]), [])
def test_whatever_dns_web_and_hosts_say_is_only_shown(
    words: list[str], page: Page, shown: list[Shown]
) -> None:
    """
    Any text in any record, policy or certificate: no control character reaches a terminal or a
    mail, no header, tag, attribute or link comes of it, JSON is valid, and no look raises.
    """
    told = tell_of(words, page, shown)

    assert told.letters
    for letter in told.letters:
        check_letter(letter)
    for command, (code, printed) in told.printed.items():
        assert code in {0, 1}, (command, printed)
        assert [] == unprintable(printed), command
        if "--json" in command.split():
            json.loads(printed)
