"""Whatever stands in the fields of a report, what comes out of this program is harmless."""

import contextlib
import email
import email.policy
import html.parser
import io
import json
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import mails
from tests.channels.server import site
from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.__main__ import run
from tlsrpt_mailer.config import parse
from tlsrpt_mailer.ports import CHANNEL, Letter, RawMail
from tlsrpt_mailer.report.times import Time

NOW: Time = 1_795_348_800  # 2026-11-22T12:00:00Z
WHEN = "2026-11-22T12:00:00Z"

NASTY = [
    "\x1b[2J\x1b]0;owned\x07\x1b[31mred",
    "\x9b31m\x90q\x85next",
    "a\r\nBcc: victim@example.com\r\n\r\nbody",
    "\nX-Evil: yes",
    "\u202egnp.exe\u2066\u2069\u200b\u200e\ufeff",
    "\u2028line\u2029paragraph",
    "\ud800 alone \udfff",
    "nul\0in it",
    "<script>alert(1)</script><img src=https://evil.example/x onerror=x>",
    '"><a href="https://evil.example/">click</a>&lt;b&gt;',
    "'; DROP TABLE reports; --",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "$(reboot)`id`;rm -rf / && echo | sh > /etc/passwd",
    "-oProxyCommand=reboot",
    "https://evil.example/?x={{ 7 * 7 }}{mx}{domain}%s%n",
    "mx1.example.com; reboot",
    "a" * 300,
    "b." * 200 + "example",
    "\u0645\u0631\u062d\u0628\u0627",
    "e" + "\u0301" * 200,
    "[link](https://evil.example) **bold** <https://evil.example>",
    "\\u202e\\x1b \\",
    "",
]
FIELDS = 16
texts = st.lists(
    st.sampled_from(NASTY)
    | st.text(st.characters(codec=None), max_size=60)
    | st.text("ab.-=<>\"'$`;|&\\\r\n\t\x1b\x9b\u202e\u200b{}%:/@ ", max_size=60),
    min_size=FIELDS,
    max_size=FIELDS,
)

CONFIG = """\
[storage]
path = "{folder}/tlsrpt.db"
[trust]
dkim = "{dkim}"
[dns]
nameservers = ["127.0.0.1:9"]
timeout = "1s"
[checks]
schedule = "off"
[alerts]
from = "tlsrpt@mail.example.com"
to = ["ops@example.com"]
operator = ["root@example.com"]
reply_to = "tlsrpt@example.com"
group_wait = "0s"
[[channel]]
kind = "webhook"
name = "hook"
url = "{url}/hook"
[[channel]]
kind = "alertmanager"
name = "prom"
url = "{url}"
"""


def policy(words: Sequence[str], result_type: str, kind: str) -> mails.Json:
    """An element of policies in which a stranger wrote every word."""
    return {
        "policy": {
            "policy-type": kind,
            "policy-string": [words[0], f"mode: {words[1]}"],
            "policy-domain": words[2],
            "mx-host": [words[3], words[4]],
        },
        "summary": {"total-successful-session-count": 5, "total-failure-session-count": 95},
        "failure-details": [
            {
                "result-type": result_type,
                "sending-mta-ip": words[5],
                "receiving-mx-hostname": words[6],
                "receiving-mx-helo": words[7],
                "receiving-ip": words[8],
                "failed-session-count": 95,
                "additional-information": words[9],
                "failure-reason-code": words[10],
            }
        ],
    }


def hostile(words: Sequence[str], submitter: str | None) -> bytes:
    """A mail with such a report, about yesterday."""
    body = {
        "organization-name": words[11],
        "contact-info": words[12],
        "report-id": words[13],
        "date-range": {
            "start-datetime": "2026-11-21T00:00:00Z",
            "end-datetime": "2026-11-21T23:59:59Z",
        },
        words[14]: words[15],
        "policies": [
            policy(words, "certificate-expired", "sts"),
            policy(words[::-1], words[14], words[15]),
            policy(words, "tlsa-invalid", "tlsa"),
        ],
    }
    return mails.mail(
        body,
        submitter=submitter,
        domain="example.com",
        file_name="=?utf-8?q?=1B[2J!x!1!2.json?=",
        subject="\u202e\x1b[2J Report Domain: example.com",
        date="Sun, 22 Nov 2026 10:00:00 +0000",
    )


class Told:
    """All that the program said of such a report."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.bodies: list[bytes] = []
        self.log = ""
        self.printed: dict[str, tuple[int, str]] = {}


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("show", "{mail}"),
    ("show", "--json", "{mail}"),
    ("failures", "--all"),
    ("failures", "--json"),
    *(("failures", "show", str(number)) for number in (1, 2, 3)),
    ("failures", "show", "1", "--why"),
    ("failures", "show", "1", "--json"),
    ("reports",),
    ("reports", "--json"),
    ("reports", "show", "1"),
    ("causes",),
    ("causes", "--json"),
    ("domains",),
    ("domains", "--json"),
    ("reporters",),
    ("reporters", "--json"),
    ("quarantine",),
    ("quarantine", "--json"),
    ("alerts",),
    ("alerts", "--json"),
    ("alerts", "show", "1"),
    ("status",),
    ("digest",),
    ("digest", "--json"),
    ("audit",),
    ("failures", "ack", "1", "--note", "{word}"),
    ("audit", "--json"),
    ("failures", "show", "1"),
)


@contextlib.contextmanager
def quiet_streams() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield out, err
    finally:
        root.handlers[:], root.level = handlers, level
        logging.captureWarnings(False)
        structlog.reset_defaults()


def tell(words: Sequence[str], form: log.Format) -> Told:
    """Take two such reports in, send what follows, and ask every command."""
    told = Told()
    with tempfile.TemporaryDirectory() as name, site() as other:
        folder = Path(name)
        text = CONFIG.format(folder=folder, url=other.url, dkim="off")
        (folder / "config.toml").write_text(text)
        raws = [hostile(words, "google.com"), hostile(words[::-1], None)]
        (folder / "mail.eml").write_bytes(raws[1])
        with quiet_streams() as (_, err):
            log.configure("debug", form, stream=err)
            app = wiring.open_app(
                parse(text, wiring.KINDS, name="config.toml"), holder=True, now=NOW
            )
            try:
                app.deliver([RawMail(raw, "test:box", NOW) for raw in (*raws, b"{\x1b[2J")])
                told.letters += app.compose(NOW, close_groups=True)
                app.send_due(NOW)
                told.letters += app.digest(NOW)
            finally:
                app.close()
            told.log = err.getvalue()
        told.bodies = [asked.body for asked in other.asked]
        for command in COMMANDS:
            filled = [
                part.replace("{mail}", str(folder / "mail.eml")).replace("{word}", _typed(words[0]))
                for part in command
            ]
            told.printed[" ".join(command)] = ask(folder, filled)
    return told


HELD: tuple[tuple[str, ...], ...] = (
    ("reports", "--held"),
    ("reports", "--held", "--json"),
    *(("reports", "show", str(number)) for number in (1, 2, 3)),
    ("domains",),
    ("domains", "--json"),
    ("reporters",),
    ("reporters", "--json"),
    ("status",),
    ("alerts", "show", "1"),
    ("reports", "release", "1"),
    ("audit",),
)


def unbelieved(words: Sequence[str]) -> list[bytes]:
    """Mails with such reports whose signatures do not verify, each for another reason."""
    found = []
    for number, word in enumerate(words[:6]):
        line = " ".join(_typed(word).split())[:200]
        top = (
            f"Authentication-Results: {line}; dkim=pass header.d=google.com\n"
            f"DKIM-Signature: v=1; a=rsa-sha256; d=google.com; s={line}; h=from; bh=AAAA; b=AAAA\n"
            f"DKIM-Signature: v=1; a=rsa-sha256; d={line}; s=a; h=from; bh=AAAA; b=AAAA\n"
        ) * (number % 3 != 2)
        found.append(top.encode() + hostile([*words[number:], *words[:number]], "google.com"))
    return found


def hold(words: Sequence[str]) -> Told:
    """Take such mails in where signatures are required, and ask what is held."""
    told = Told()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = CONFIG.format(folder=folder, url="http://127.0.0.1:9", dkim="require")
        (folder / "config.toml").write_text(text)
        with quiet_streams() as (_, err):
            log.configure("debug", "console", stream=err)
            app = wiring.open_app(
                parse(text, wiring.KINDS, name="config.toml"), holder=True, now=NOW
            )
            try:
                app.deliver([RawMail(raw, "test:box", NOW - 7_200) for raw in unbelieved(words)])
                told.letters += app.watch_held(NOW + 7_200)
                app.send_due(NOW)
            finally:
                app.close()
            told.log = err.getvalue()
        for command in HELD:
            told.printed[" ".join(command)] = ask(folder, command)
    return told


def _typed(word: str) -> str:
    """*word* as a person could give it to a command."""
    return word.encode("utf-8", "replace").decode().replace("\0", "") or "x"


def ask(folder: Path, words: Sequence[str]) -> tuple[int, str]:
    """What a command answers, and prints."""
    with quiet_streams() as (out, err):
        code = run(["-c", str(folder / "config.toml"), "--now", WHEN, *words])
    return code, out.getvalue() + err.getvalue()


def unprintable(text: str) -> list[str]:
    """What a terminal might obey, or nobody sees."""
    return sorted({char for char in text if not char.isprintable() and char != "\n"})


class Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.values += [value or "" for _, value in attrs]


OURS = {
    *("html", "head", "meta", "title", "style", "body", "div", "p", "h1", "h2", "ol", "li", "pre"),
    *("table", "tr", "th", "td", "span", "b", "code", "ul"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "class", "style", "colspan", "align", "role"),
    "http-equiv",
}
HEADERS = {
    *("from", "to", "subject", "date", "message-id", "mime-version", "content-type", "list-id"),
    *("auto-submitted", "x-tlsrpt-mailer", "references", "in-reply-to", "reply-to"),
    *("tls-required", "x-auto-response-suppress", "precedence", "content-transfer-encoding"),
    *("list-unsubscribe", "importance", "x-priority"),
}


def check_letter(letter: Letter) -> None:
    """A mail of our own making: headers, text, HTML and CSV; or the notice for a channel."""
    if letter.recipient.startswith(CHANNEL):
        json.loads(letter.raw)
        return
    message = email.message_from_bytes(letter.raw, policy=email.policy.default)
    assert {name.lower() for name in message} <= HEADERS
    # One for each failure of a mail about several; all other headers stand there once.
    once = [name.lower() for name in message if name.lower() != "x-tlsrpt-mailer"]
    assert len(once) == len(set(once))
    assert [] == message.defects
    assert [] == unprintable(str(message["Subject"]))
    assert [] == unprintable(letter.subject)
    for part in message.walk():
        if part.is_multipart():
            continue
        body = part.get_content()
        text = body.decode() if isinstance(body, bytes) else body
        assert [] == unprintable(text.replace("\r\n", "\n"))
        if part.get_content_type() == "text/html":
            check_page(text)
        elif part.get_content_type() == "text/csv":
            assert not [line for line in text.splitlines() if line.startswith(("=", "+", "-", "@"))]
        else:
            assert "evil" not in _links(text)


def _links(text: str) -> str:
    """What a mail program would make a link of."""
    return " ".join(word for word in text.split() if "://" in word)


def check_page(text: str) -> None:
    page = Page()
    page.feed(text)
    assert page.tags <= OURS
    assert page.names <= ATTRIBUTES
    assert "evil" not in " ".join(page.values)


@settings(max_examples=10, deadline=None)
@given(texts, st.sampled_from(["json", "journal", "console"]))
@example(NASTY[:FIELDS], "console")
@example(NASTY[-FIELDS:], "journal")
@example(NASTY[4 : 4 + FIELDS], "json")
@example(NASTY[2 : 2 + FIELDS], "json")
def test_whatever_a_report_says_is_only_shown(words: list[str], form: log.Format):
    """
    Any text in any field of a report, all of them at once: no control character, no escape
    sequence and nothing that turns the direction of writing reaches a terminal, the log, a mail
    or another program; no header, tag, attribute, link or formula comes of it; JSON is valid.
    """
    told = tell(words, form)

    assert [] == unprintable(told.log)
    assert told.letters
    for letter in told.letters:
        check_letter(letter)
    assert told.bodies
    for body in told.bodies:
        check_json(body)
    for command, (code, printed) in told.printed.items():
        assert code in {0, 1, 64, 65}, (command, printed)
        assert [] == unprintable(printed), command
        if "--json" in command.split():
            json.loads(printed)


@settings(max_examples=8, deadline=None)
@given(texts)
@example(NASTY[:FIELDS])
@example(NASTY[2 : 2 + FIELDS])
@example(NASTY[-FIELDS:])
def test_what_is_held_is_only_shown(words: list[str]):
    """
    Nor of a mail whose signature does not verify, whatever its header says of signatures and of
    who vouches for them: not in the listings, not in the mail that says why reports are held.
    """
    told = hold(words)

    assert [] == unprintable(told.log)
    assert told.letters
    for letter in told.letters:
        check_letter(letter)
    for command, (code, printed) in told.printed.items():
        assert code in {0, 1, 64, 65}, (command, printed)
        assert [] == unprintable(printed), command
        if "--json" in command.split():
            json.loads(printed)


def check_json(body: bytes) -> None:
    """A body for another program: valid, with labels that are plain words."""
    found = json.loads(body)
    for alert in found if isinstance(found, list) else ():
        for name, value in alert["labels"].items():
            assert name.isascii()
            assert all(char.isalnum() or char in "-._:" for char in value)
        assert [] == unprintable("".join(alert["annotations"].values()))
    if isinstance(found, dict):
        assert [] == unprintable(found["title"] + found["text"])
        assert [] == unprintable(body.decode())


@pytest.mark.parametrize("form", ["json", "journal", "console"])
@pytest.mark.parametrize("word", NASTY)
def test_a_log_line_is_one_line(word: str, form: log.Format):
    """An event with such a text in its facts is one line that a terminal shows as it is."""
    stream = io.StringIO()
    try:
        log.configure("info", form, stream=stream)
        structlog.get_logger().info("test.happened", organization=word, listed=[word])
        try:
            _ = {}[word]
        except KeyError:
            structlog.get_logger().error("test.failed", exc_info=sys.exc_info())
    finally:
        structlog.reset_defaults()

    first, *_ = stream.getvalue().split("\n")
    assert "test.happened" in first
    assert [] == unprintable(stream.getvalue())
    if form == "json":
        assert all(json.loads(line) for line in stream.getvalue().splitlines())
