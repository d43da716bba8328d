"""Reports are untrusted: whatever stands in them, a mail stays a mail and a command a command."""

import email
import email.policy
import html.parser

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.alerts.examples import context, group, item, over, seen, told
from tlsrpt_mailer.alerts.answering import AnswerOutcome, render_answer
from tlsrpt_mailer.alerts.model import Answer, Planned, Transition
from tlsrpt_mailer.alerts.render import render
from tlsrpt_mailer.report.hosts import is_ip, is_strict_host

NASTY = [
    "$(reboot)",
    "`id`",
    "a;rm -rf /",
    "-oProxyCommand=x",
    "x\r\nBcc: victim@example.com",
    "x\n\nbody",
    "<script>alert(1)</script>",
    '"><img src=https://evil.example/x>',
    "https://evil.example/",
    "\u202egnp.exe",
    "\x1b[2J",
    "{{ 7 * 7 }}",
    "{mx}",
    "=cmd|' /C calc'!A0",
    "a" * 300,
    ".".join(["a" * 60] * 4),
    "",
    "mx1.example.com",
    "2001:db8::1",
]
texts = st.sampled_from(NASTY) | st.text(max_size=80) | st.text("ab-.\r\n;<&\"'$` ", max_size=80)
counts = st.integers(0, 2**63 - 1)


@st.composite
def failures(draw):
    """A failure whose every string a stranger wrote."""
    rows = tuple(
        seen(
            draw(texts),
            failed=draw(counts),
            sessions=draw(counts),
            ips=((draw(texts), draw(counts)),),
            sending_ips=((draw(texts), draw(counts)),),
            reasons=(
                (draw(texts), draw(st.sampled_from(["generic", "mx-not-in-policy"]) | texts)),
            ),
            policy_string=(draw(texts),),
            mx_host=tuple(draw(st.lists(texts, max_size=3))),
        )
        for _ in range(draw(st.integers(0, 2)))
    )
    kind = draw(st.sampled_from([item, over]))
    types = st.sampled_from(["validation-failure", "tlsa-invalid", "sts-policy-fetch-error"])
    return kind(
        draw(st.integers(1, 10**9)),
        domain=draw(texts),
        mx=draw(st.none() | texts),
        result_type=draw(types | texts),
        policy_type=draw(st.sampled_from(["sts", "tlsa", "no-policy-found"]) | texts),
        mode=draw(st.sampled_from([None, "enforce", "testing", "none"]) | texts),
        failed=draw(counts),
        sessions=draw(counts),
        reasons=(draw(texts),),
        evidence=rows,
    )


moments = st.integers(0, 4_000_000_000)
steps = st.sampled_from(
    ["share-1", "share-50", "enforce", "reason-expired", "reporters", "not-fixed-1791900000"]
)
ROLES = ("domain", "mx", "policy-host", "default", "escalation", "assigned", "told")


@st.composite
def answers(draw):
    """What somebody said; an answer by mail may hold anything."""
    return Answer(
        kind=draw(st.sampled_from(["ack", "fixed"])),
        who=draw(texts),
        at=draw(moments),
        until=draw(st.none() | moments),
        note=draw(st.none() | texts),
        assignee=draw(st.none() | texts),
    )


@st.composite
def people(draw):
    """The same failures, with what people did about them."""
    return msgspec.structs.replace(
        draw(failures()),
        answer=draw(st.none() | answers()),
        assigned=draw(st.none() | answers()),
        steps=tuple(draw(st.lists(steps, max_size=4))),
        state=draw(st.sampled_from(["new", "ongoing", "acknowledged", "fixed?", "stale"])),
        maintenance=draw(st.none() | st.integers(1, 9)),
        role=draw(st.sampled_from(ROLES)),
        role_of=draw(texts),
        asked_at=draw(st.none() | moments),
        also_told=tuple(draw(st.lists(texts, max_size=2))),
    )


KINDS = {
    **dict.fromkeys(("new", "joined", "summary", "flood", "reminder", "maintenance"), "new"),
    **{kind: kind for kind in ("regressed", "resolved", "worsened", "not-fixed")},
}


@st.composite
def mails(draw):
    """A mail of any kind about such failures."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    one = failures() if kind == "resolved" else people()
    items = draw(st.lists(one, min_size=1, max_size=3))
    before = st.sampled_from([None, told(), told(steps=("share-1",), opened_at=1, first_at=1)])
    rows = tuple(Transition(one, KINDS[kind], 2, draw(before)) for one in items)
    others = (Transition(draw(people()), "left", 2, told()),) if kind == "joined" else ()
    return render(
        group(*items, kind=kind, transitions=rows, others=others),
        context(
            subject=draw(st.sampled_from(["state", "thread"])),
            reply_to=draw(st.sampled_from([None, "tlsrpt+ack-7f3k@example.com"])),
            planned=(draw(plans()),),
        ),
    )


@st.composite
def plans(draw):
    return Planned(
        number=draw(st.integers(1, 9)),
        kind=draw(st.sampled_from(["mx", "domain", "group"])),
        value=draw(texts),
        start=draw(moments),
        end=draw(moments),
        note=draw(st.none() | texts),
    )


@st.composite
def replies(draw):
    """The answer to a reply of which every word is a stranger's."""
    outcome = AnswerOutcome(
        what=draw(
            st.sampled_from(["noted", "not-understood", "expired", "not-yours", "nothing-open"])
        ),
        who=draw(texts),
        at=draw(moments),
        verb=draw(st.sampled_from(["ack", "fixed", "mute", "assign", "reopen"]) | texts),
        failures=tuple(draw(st.lists(st.tuples(st.integers(0, 10**9), texts), max_size=12))),
        left_out=tuple(draw(st.lists(st.integers(0, 10**9), max_size=3))),
        until=draw(st.none() | moments),
        note=draw(st.none() | texts),
        assignee=draw(st.none() | texts),
        first_line=draw(texts),
        reason=draw(texts),
        in_reply_to=draw(st.none() | texts),
        references=tuple(draw(st.lists(texts, max_size=3))),
        original_subject=draw(texts),
    )
    return render_answer(outcome, context())


class _Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []
        self.links = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in {"href", "src", "background"}]


OURS = {
    *("html", "head", "meta", "title", "style", "body", "div", "p", "h2", "ol", "li", "pre"),
    *("table", "tr", "th", "td"),
}


def is_harmless(rendered):
    tags = _Tags()
    tags.feed(rendered.html)

    assert rendered.text.isascii()
    assert not [line for line in rendered.text.split("\n") if len(line) > 80]
    assert not [char for char in rendered.text if char < " " and char != "\n"]
    assert set(tags.tags) <= OURS
    assert [] == tags.links


@settings(max_examples=100, deadline=None)
@given(mails())
def test_no_string_of_a_report_breaks_a_mail(rendered):
    """
    Text of at most 80 ASCII columns; HTML with our own tags alone and no link; headers that
    say what we wrote; lines that every relay takes.
    """
    is_harmless(rendered)
    message = email.message_from_bytes(rendered.raw, policy=email.policy.default)

    assert message["Bcc"] is None
    assert rendered.subject == message["Subject"]
    assert {"event", "failure", "domain", "result", "mx", "severity"} == {
        pair.partition("=")[0].strip()
        for fact in message.get_all("X-TLSRPT-Mailer")
        for pair in fact.split(";")
    }
    assert [] == message.defects
    assert max(map(len, rendered.raw.split(b"\r\n"))) <= 998


@settings(max_examples=100, deadline=None)
@given(replies())
def test_no_word_of_a_reply_breaks_the_answer_to_it(rendered):
    """
    A subject, a note, a Message-ID that a stranger wrote: no header more, no link, no line
    that is too wide, and always marked as an answer that nobody should answer.
    """
    is_harmless(rendered)
    message = email.message_from_bytes(rendered.raw, policy=email.policy.default)

    assert message["Bcc"] is None
    assert "auto-replied" == message["Auto-Submitted"]
    assert rendered.subject == message["Subject"]
    assert {"event", "result", "act"} == {
        pair.partition("=")[0].strip() for pair in message["X-TLSRPT-Mailer"].split(";")
    }
    assert [] == message.defects


@settings(max_examples=100, deadline=None)
@given(failures())
def test_no_string_of_a_report_reaches_a_command(one):
    """Behind -connect and in a URL stands a strict host name, or a placeholder."""
    text = render(group(one), context()).text
    commands = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    words = [word for line in commands for word in line.split()]
    hosts = [
        words[at + 1].removesuffix(":25") for at, word in enumerate(words) if word == "-connect"
    ]
    urls = [word for word in words if word.startswith("https://")]
    searched = [words[at + 2] for at, word in enumerate(words) if word == "grep"]

    assert [] == [
        host
        for host in hosts
        if host not in {"MX_HOST", "$MX"}
        and not is_strict_host(host.removesuffix(":443"))
        and not host.startswith("mta-sts.$DOMAIN")
    ]
    assert [] == [
        url
        for url in urls
        if "$DOMAIN" not in url and not is_strict_host(url.split("/")[2].replace("DOMAIN", "d"))
    ]
    assert [] == [ip for ip in searched if ip != "IP" and not is_ip(ip)]


def test_a_name_that_is_none_is_quoted_elsewhere():
    """The reader sees what the report said, next to the command that does not have it."""
    one = item(domain="$(reboot).example", mx="-oProxy`id`")

    text = render(group(one), context()).text

    assert 'DOMAIN stands for the name in the report: "$(reboot).example"' in text
    assert 'MX_HOST stands for the name in the report: "-oProxy`id`"' in text
    assert "-connect MX_HOST:25" in text
