"""Whatever stands in a report or in an answer: a digest stays a plain mail of 78 columns."""

from email import message_from_bytes, policy

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.alerts.digests import (
    FIRE,
    MONDAY,
    POST,
    digest,
    domain,
    failure,
    material,
    owner,
    pair,
    rendered,
)
from tlsrpt_mailer.alerts.digest_model import Intake, Silence
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock
from tlsrpt_mailer.alerts.model import Answer

NASTY = [
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "x\r\nBcc: all@example.com",
    "\x1b[31mred\x07",
    "\u202egnp.exe",
    "https://evil.example/",
    "a" * 400,
    "",
    "{{ 7 * 7 }}",
    "$(reboot)",
    "-- ",
    "d\u00f6m\u00e4in.example",
]
TEXTS = st.one_of(st.sampled_from(NASTY), st.text(max_size=80))
STATES = ["ongoing", "regressed", "stale", "resolved", "closed", "muted", "acknowledged", "fixed?"]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_text_of_a_stranger_gets_out_of_its_place(data: st.DataObject):
    """No header, no markup, no link, no control character; ASCII, and never too wide."""
    names = data.draw(st.lists(TEXTS, max_size=3, unique=True))
    domains = [
        domain(
            name,
            data.draw(st.text(".-+#@ ?", min_size=7, max_size=7)),
            pairs=[pair(name, data.draw(TEXTS), policies=((data.draw(TEXTS), data.draw(TEXTS)),))],
        )
        for name in names
    ]
    answer = Answer(
        kind="ack", who=data.draw(TEXTS), at=FIRE, note=data.draw(TEXTS), assignee=data.draw(TEXTS)
    )
    failures = [
        failure(
            number,
            name,
            result_type=data.draw(TEXTS),
            mx=data.draw(st.none() | TEXTS),
            state=data.draw(st.sampled_from(STATES)),
            severity=data.draw(st.sampled_from(["critical", "warning", "low"])),
            reporters=(data.draw(TEXTS),),
            answer=data.draw(st.none() | st.just(answer)),
            assigned=data.draw(st.none() | st.just(answer)),
        )
        for number, name in enumerate(names, 1)
    ]
    made = material(
        domains,
        failures,
        silences=tuple(
            Silence(reporter=data.draw(TEXTS), domains=(name,), last=MONDAY) for name in names
        ),
        intake=Intake(trouble=(data.draw(TEXTS),)),
        mails={data.draw(TEXTS): 3},
    )
    block = DomainBlock(match=("nothing.example",), owners=(owner(POST),), group=data.draw(TEXTS))
    whose = Directory(owner(POST, "default", is_default=True), (), [block])

    mail = rendered(digest(made, POST, whose, operator=True, why=data.draw(TEXTS)))

    parsed = message_from_bytes(mail.raw, policy=policy.default)
    assert mail.text.isascii()
    assert mail.raw.isascii()
    assert not [line for line in mail.text.splitlines() if len(line) > 78]
    assert {"Bcc"}.isdisjoint(parsed.keys())
    assert "<script" not in mail.html
    assert "href" not in mail.html
    assert "://" not in mail.text
    assert not [char for char in mail.text if ord(char) < 32 and char != "\n"]
    assert 1 == mail.text.count("\n-- \n")


def test_a_name_that_is_none_is_quoted():
    """What is no host name passes for none, also in a table."""
    made = material([domain("a b", "#......")], [failure(1, "a b")])

    text = rendered(digest(made)).text

    assert '"a b"' in text
    assert "tlsrpt-mailer failures ack 1" in text
