"""Lasting trouble of the program itself is mailed to the operator: once, daily, and its end."""

import email
from collections.abc import Iterator
from email import policy
from pathlib import Path

import pytest

from tests.e2e.sink import Sink, relay, text_of
from tests.trouble.host import DAY, HOUR, MINUTE, NOON, Host
from tests.trouble.relay import Relay, failing_relay
from tlsrpt_mailer.ports import SentCanary

ROOT = "root@example.com"
OURS = "tlsrpt@example.com"
OPERATOR = f'operator = ["{ROOT}"]\n'


@pytest.fixture
def sink() -> Iterator[Sink]:
    with relay() as one:
        yield one


@pytest.fixture
def host(tmp_path: Path, sink: Sink) -> Iterator[Host]:
    one = Host(tmp_path, sink.port)
    one.works()
    yield one
    one.app.close()


def to_operator(sink: Sink) -> list[str]:
    """Subjects of what is about the program."""
    return [
        one["subject"].removesuffix(" [tlsrpt]")
        for one in sink.mails
        if "event=operator" in str(one["x-tlsrpt-mailer"])
    ]


def fails(host: Host, monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """From now on the review does this."""

    def review(_now: int) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(host.app, "review", review)


def test_a_job_that_fails_for_a_while_is_mailed(
    host: Host, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once after a quarter of an hour, again a day later, and when it works again."""
    fails(host, monkeypatch, ValueError("a bug \x1b[31m"))
    host.works(10 * MINUTE, 5 * MINUTE)
    early = to_operator(sink)
    host.works(DAY + HOUR, HOUR)
    during = to_operator(sink)
    fails(host, monkeypatch, None)
    host.works(2 * HOUR, HOUR)

    since = "since 14 Oct 12:05Z"
    assert [] == early
    assert [f"OPERATOR job review fails {since}", f"OPERATOR still: job review fails {since}"] == (
        during
    )
    assert "OPERATOR job review works again" == to_operator(sink)[-1]
    assert 3 == len(to_operator(sink))
    first = next(one for one in sink.mails if "job review" in one["subject"])
    assert r"ValueError: a bug \u001b[31m" in text_of(first)
    assert all(len(line) <= 78 for line in text_of(first).splitlines())


def test_a_job_that_fails_once_is_no_news(
    host: Host, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the next run mends, nobody is mailed."""
    fails(host, monkeypatch, ValueError("a bug"))
    host.works(5 * MINUTE, 5 * MINUTE)
    fails(host, monkeypatch, None)
    host.works(HOUR)

    assert [] == to_operator(sink)


def test_a_channel_that_takes_nothing_is_mailed(tmp_path: Path, sink: Sink) -> None:
    """An hour after the first notice that waits, with what the other side says; and its end."""
    with failing_relay() as other:
        other.on = {"RCPT": "451 4.3.0 no disk space"}
        host = Host(
            tmp_path,
            sink.port,
            '[[channel]]\nkind = "email"\nname = "second"\nhost = "127.0.0.1"\n'
            f'port = {other.port}\nto = ["pager@example.net"]\n',
        )
        host.works()
        host.takes()
        host.works(50 * MINUTE)
        early = to_operator(sink)
        host.works(HOUR)
        during = to_operator(sink)
        other.on.clear()
        host.works(2 * HOUR)
        host.app.close()

    assert [] == early
    assert ["OPERATOR channel second takes no notices since 14 Oct 12:00Z"] == during
    assert [*during, "OPERATOR channel second takes notices again"] == to_operator(sink)
    told = next(one for one in sink.mails if "takes no notices" in one["subject"])
    assert "451 4.3.0 no disk space" in text_of(told)
    assert "1 notice waiting" in text_of(told)


def pending(host: Host, trust: str = "pending") -> None:
    """What was stored last waits for its key."""
    with host.app.store.writer.transaction() as conn:
        conn.execute(
            "UPDATE reports SET status = 'held', held_for = 'pending', trust = ?,"
            " trust_reason = 'the resolver timed out' WHERE id = (SELECT max(id) FROM reports)",
            (trust,),
        )


def test_dns_that_does_not_answer_for_hours_is_mailed(host: Host, sink: Sink) -> None:
    """Six hours after the first report that waits; once, and when it answers again."""
    host.takes()
    pending(host)
    host.works(5 * HOUR, HOUR)
    early = to_operator(sink)
    host.works(3 * HOUR, HOUR)
    during = to_operator(sink)
    with host.app.store.writer.transaction() as conn:
        conn.execute("UPDATE reports SET status = 'counted', held_for = NULL, trust = 'pass'")
    host.works(HOUR)

    assert [] == early
    assert ["OPERATOR DNS does not answer, so reports wait since 14 Oct 12:00Z"] == during
    assert [*during, "OPERATOR DNS answers again"] == to_operator(sink)


def test_one_lame_domain_is_no_trouble_of_ours(host: Host, sink: Sink) -> None:
    """A reporter whose name servers are broken for good waits by itself: others verify."""
    host.takes()
    pending(host)
    for _ in range(5):
        host.works(4 * HOUR, HOUR)
        with host.app.store.writer.transaction() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO keys (name, texts, last_seen) VALUES ('k', x'5b5d', ?)",
                (host.wall,),
            )

    assert [] == to_operator(sink)


def test_a_clock_in_doubt_for_an_hour_is_mailed(host: Host, sink: Sink) -> None:
    """With how far it jumped, and when it is believed again."""
    host.jumps(50 * DAY)
    host.works(30 * MINUTE)
    early = to_operator(sink)
    host.works(26 * HOUR, HOUR)

    assert [] == early
    first, *_, last = to_operator(sink)
    assert "OPERATOR the clock of this machine has jumped since" in first
    assert "OPERATOR the clock of this machine is believed again" == last
    assert "1,200 h ahead" in text_of(next(one for one in sink.mails if "jumped" in one["subject"]))


def test_a_mail_that_was_given_up_is_told_by_mail_and_by_fallback(tmp_path: Path) -> None:
    """
    Whoever it was for does not know: the operator hears of it, by mail and by the second
    route, once a day at most; a refused mail to the operator makes no circle.
    """
    with failing_relay() as bad, failing_relay() as second:
        bad.by_recipient = {"ana@example.com": "550 5.1.1 nobody here"}
        host = with_fallback(tmp_path, bad, second)
        host.works()
        host.takes()
        host.works(3 * HOUR, 30 * MINUTE)
        bad.by_recipient[ROOT] = "550 5.1.1 nor here"
        host.takes("other.example")
        host.works(3 * DAY, 6 * HOUR)
        host.app.close()

    told = [shown(raw) for to, raw in bad.taken if to == ROOT]
    other = [shown(raw) for _, raw in second.taken]
    assert ["OPERATOR mails were given up since 14 Oct 12:00Z"] == told
    assert 1 == sum(text == told[0] for text in other)
    # The third is a reminder that was refused, days later.
    assert 3 == len([text for text in other if "given up" in text])


def with_fallback(folder: Path, bad: Relay, second: Relay) -> Host:
    return Host(
        folder,
        bad.port,
        '[[channel]]\nkind = "email"\nname = "second"\nhost = "127.0.0.1"\n'
        f'port = {second.port}\nto = ["pager@example.net"]\nevents = ["new"]\n',
        alerts=f'{OPERATOR}fallback = ["second"]\n',
    )


def shown(raw: bytes) -> str:
    subject = email.message_from_bytes(raw, policy=policy.default)["subject"]
    return str(subject).removesuffix(" [tlsrpt]")


def test_all_is_well_and_nothing_is_said(host: Host, sink: Sink) -> None:
    """A day without trouble is a day without a mail."""
    host.works(DAY, HOUR)

    assert [] == to_operator(sink)
    assert NOON + DAY == host.wall


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("not sent: Connection refused", "not sent: Connection refused"),
        (None, "The MX has not answered yet."),
    ],
)
def test_a_test_report_that_does_not_come_back_is_mailed(
    tmp_path: Path, sink: Sink, answer: str | None, said: str
) -> None:
    """Once it is overdue, with what the MX said of it, and when one comes back."""
    canary = f'[checks]\nschedule = "off"\nrua = ["mailto:{OURS}"]\n'
    source = f'[[source]]\nkind = "lmtp"\nlisten = "127.0.0.1:1"\nrecipients = ["{OURS}"]\n'
    more = f'{canary}{source}[canary]\nschedule = "daily"\nwithin = "2h"\n'
    host = Host(tmp_path, sink.port, more)
    one = SentCanary(token="t", address=OURS, sent_at=NOON, answer=answer)
    host.app.store.canaries.save(one)
    host.works(HOUR)
    early = to_operator(sink)
    host.works(2 * HOUR, HOUR)
    during = to_operator(sink)
    with host.app.store.writer.transaction() as conn:
        conn.execute("UPDATE canaries SET came_at = ?", (NOON + 3 * HOUR,))
    host.works(HOUR)
    host.app.close()

    assert [] == early
    assert [f"OPERATOR no test report comes back from {OURS} since 14 Oct 12:00Z"] == during
    assert [*during, f"OPERATOR test reports come back from {OURS} again"] == to_operator(sink)
    told = next(one for one in sink.mails if "no test report" in one["subject"])
    assert said in " ".join(text_of(told).split())
