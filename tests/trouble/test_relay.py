"""
A relay in trouble: no alert is lost, and none comes under a second Message-ID.

| the relay | what becomes of the mail |
| --- | --- |
| 4yz to the connection, HELO, MAIL, RCPT, DATA, the mail | tried again, the same bytes |
| 5yz to the connection, HELO, and what is about the session | likewise: the mail is not to blame |
| 5yz to MAIL, RCPT, DATA, the mail | given up at once; status and the operator say so |
| hangs, hangs up, talks nonsense or without end at any step | tried again, the same bytes |
| hangs up in the middle of the mail | likewise; no half of it counts |
| hangs up after the last dot | likewise: it may come twice, under one Message-ID |
| refuses or defers one recipient | the others have theirs at once |
| 421 after so many mails | the rest follows |
| stays away | five days, hourly at last, then given up; told by `alerts.fallback` |
| TLS that breaks, a wrong certificate | tests/channels/test_email.py: deferred, nothing in clear |
"""

import email
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.waiting import until
from tests.servers.postfix import postfix
from tests.trouble.host import DAY, HOUR, MINUTE, Host
from tests.trouble.relay import CLOSE, GARBAGE, HANG, Relay, failing_relay

STEPS = ("connect", "EHLO", "MAIL", "RCPT", "DATA", "dot")
TEAMS = """
[[domains]]
match = ["bad.example"]
owners = ["bad@example.org"]
[[domains]]
match = ["good.example"]
owners = ["good@example.org"]
"""
ENDLESS = "\r\n".join(["250-" + "x" * 400] * 2_000) + "\r\n250 ok"


@pytest.fixture
def relay() -> Iterator[Relay]:
    with failing_relay() as one:
        yield one


@pytest.fixture
def host(tmp_path: Path, relay: Relay) -> Iterator[Host]:
    one = Host(tmp_path, relay.port, 'timeout = "1s"\n' + TEAMS)
    one.works()
    yield one
    one.app.close()


def letters(host: Host) -> list[tuple[object, ...]]:
    """Of each alert: recipient, state."""
    return list(
        host.rows("SELECT recipient, state FROM letters WHERE event = 'new' ORDER BY recipient")
    )


def names(mails: list[tuple[str, bytes]]) -> set[str]:
    return {email.message_from_bytes(raw)["Message-ID"] for _, raw in mails}


def recovers(host: Host, relay: Relay) -> None:
    """The relay works again: one alert has come, once, with the bytes that were frozen."""
    relay.on.clear()
    frozen = host.app.store.outbox.due(host.wall + HOUR)[0].letter.raw
    host.works(2 * MINUTE, MINUTE)

    assert [("ana@example.com", "sent")] == letters(host)
    alerts = [raw for to, raw in relay.taken if b"event=new" in raw]
    assert [frozen.replace(b"\r\n", b"\n")] == [raw.replace(b"\r\n", b"\n") for raw in alerts]
    assert 1 == len(names([one for one in relay.whole if b"event=new" in one[1]]))


# ------------------------------------------------------------------- each step


@pytest.mark.parametrize(
    ("step", "reply"),
    [(step, "451 4.3.0 later") for step in STEPS]
    + [("connect", "421 4.7.0 closing"), ("dot", "421 4.7.0 closing")],
)
def test_a_deferred_mail_comes_later(host: Host, relay: Relay, step: str, reply: str) -> None:
    """Whatever the step: the same bytes, under the same name, once."""
    relay.on = {step: reply} | ({"HELO": reply} if step == "EHLO" else {})
    host.takes()
    host.works()

    assert [("ana@example.com", "waiting")] == letters(host)
    recovers(host, relay)


@pytest.mark.parametrize("step", ["connect", "EHLO"])
def test_a_refusal_of_the_session_is_not_about_the_mail(
    host: Host, relay: Relay, step: str
) -> None:
    """A relay that does not speak to us at all may do so when it is set up."""
    relay.on = {"EHLO": "554 5.7.1 go away", "HELO": "554 5.7.1 go away"} | {step: "554 go away"}
    host.takes()
    host.works()

    assert [("ana@example.com", "waiting")] == letters(host)
    recovers(host, relay)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "dot"])
def test_a_refused_mail_is_given_up_and_said(host: Host, relay: Relay, step: str) -> None:
    """It is not tried again; `status` and `alerts` have it, and it can be sent again."""
    relay.on = {step: "550 5.7.1 refused for good"}
    host.takes()
    host.works(HOUR)

    assert [("ana@example.com", "failed")] == letters(host)
    assert [] == relay.taken
    assert 1 == sum(
        entry["event"] == "alert.refused" and entry["about"] == "new" for entry in host.logs
    )
    assert host.app.store.outbox.resend(1, host.wall)
    recovers(host, relay)


@pytest.mark.parametrize(
    ("step", "how"),
    [(step, CLOSE) for step in (*STEPS, "in DATA")] + [("RCPT", GARBAGE), ("dot", GARBAGE)],
)
def test_a_relay_that_breaks_off_gets_it_again(
    host: Host, relay: Relay, step: str, how: str
) -> None:
    """Hung up, or talking nonsense: also in the middle of the mail, and after its last dot."""
    relay.on = {step: how} | ({"HELO": how} if step == "EHLO" else {})
    host.takes()
    host.works()

    assert [("ana@example.com", "waiting")] == letters(host)
    assert [] == relay.taken
    recovers(host, relay)


@pytest.mark.parametrize("step", [*STEPS, "in DATA"])
def test_a_relay_that_hangs_costs_its_time_out(host: Host, relay: Relay, step: str) -> None:
    """After `timeout` the mail waits for the next try, whatever the step."""
    relay.on = {step: HANG}
    host.takes()
    host.works()

    assert [("ana@example.com", "waiting")] == letters(host)
    recovers(host, relay)


@pytest.mark.parametrize("step", ["connect", "EHLO", "dot"])
def test_an_answer_without_end_is_cut(host: Host, relay: Relay, step: str) -> None:
    """Thousands of lines are read or given up on; the note of it is short, and the mail lives."""
    endless = ENDLESS.replace("250", "451")
    relay.on = {step: endless} | ({"HELO": endless} if step == "EHLO" else {})
    host.takes()
    host.works()

    ((state, answer),) = host.rows("SELECT state, answer FROM letters WHERE event = 'new'")
    assert "waiting" == state
    assert len(answer) <= 2_000
    recovers(host, relay)


# ------------------------------------------------------------------- several mails


@pytest.mark.parametrize("reply", ["450 4.2.1 mailbox busy", "550 5.1.1 nobody", HANG, CLOSE])
def test_one_bad_recipient_holds_up_no_other(host: Host, relay: Relay, reply: str) -> None:
    """Each recipient has a mail of their own: theirs alone waits, or is given up."""
    relay.by_recipient = {"bad@example.org": reply}
    host.takes("bad.example")
    host.takes("good.example")
    host.works()

    bad = "failed" if reply.startswith("5") else "waiting"
    assert [("bad@example.org", bad), ("good@example.org", "sent")] == letters(host)
    assert {"good@example.org"} == {to for to, raw in relay.taken if b"event=new" in raw}


def test_a_relay_that_takes_so_many_at_a_time_gets_the_rest_later(host: Host, relay: Relay) -> None:
    """421 after three mails: the others wait a minute, and each comes once."""
    relay.close_after = 3
    for number in range(6):
        host.app.deliver([])
        host.takes(f"d{number}.example")
    host.works()
    first = len(relay.taken)
    relay.close_after = None
    host.works(2 * MINUTE, MINUTE)

    assert 3 == first
    assert 6 == len(relay.taken) == len(names(relay.taken))


def test_each_try_has_the_same_bytes(host: Host, relay: Relay) -> None:
    """Ten tries that all failed after the last dot: ten copies of one mail."""
    relay.on = {"dot": CLOSE}
    host.takes()
    host.works(9 * HOUR, 30 * MINUTE)

    tried = [raw for _, raw in relay.whole if b"event=new" in raw]
    assert len(tried) >= 10
    assert 1 == len(set(tried))


# ------------------------------------------------------------------- for days


def test_five_days_then_status_and_the_operator_say_so(tmp_path: Path) -> None:
    """
    A relay that stays away: tried at least hourly, five days long, then given up. The
    fallback channel says that mails wait, again each day, and that some were given up.
    """
    with failing_relay() as away, failing_relay() as second:
        away.on = {"RCPT": "451 4.3.0 no disk space"}
        host = Host(
            tmp_path,
            away.port,
            '[[channel]]\nkind = "email"\nname = "second"\nhost = "127.0.0.1"\n'
            f'port = {second.port}\nto = ["pager@example.net"]\nevents = ["operator"]\n',
            'fallback = ["second"]\n',
        )
        host.works()
        host.takes()
        host.works(5 * DAY - 3 * HOUR, 3 * HOUR)
        before = letters(host)
        host.works(6 * HOUR, 3 * HOUR)
        host.app.close()
        told = [str(email.message_from_bytes(raw)["Subject"]) for _, raw in second.taken]

    assert [("ana@example.com", "waiting")] == before
    assert [("ana@example.com", "failed")] == host_rows(tmp_path)
    assert 1 == host.said("relay.trouble")
    assert 6 == sum("does not take them" in one for one in told)
    assert 1 == sum("given up" in one for one in told)


def host_rows(folder: Path) -> list[tuple[object, ...]]:
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(folder / "tlsrpt.db") as conn:
        return conn.execute("SELECT recipient, state FROM letters WHERE event = 'new'").fetchall()


# ------------------------------------------------------------------- a real one


@pytest.mark.servers
def test_a_real_postfix_that_defers_hangs_up_and_takes(tmp_path: Path) -> None:
    """
    Postfix defers a recipient (450), is stopped, comes back and takes: one mail reaches the
    mailbox, once, and another recipient's was there from the start.
    """
    with failing_relay() as mailbox:
        # After this relay's own transports; what it takes goes on to our scripted server.
        rules = (
            f"default_transport = smtp:[127.0.0.1]:{mailbox.port}\n"
            "smtpd_recipient_restrictions = check_recipient_access"
            " inline:{{ bad@example.org = 450 4.2.1 busy }}, permit_mynetworks, reject\n"
        )
        with postfix(rules) as server:
            host = Host(tmp_path, server.port, 'timeout = "5s"\n' + TEAMS)
            host.works()
            host.takes("bad.example")
            host.takes("good.example")
            host.works()
            first = letters(host)
            main = server.config / "main.cf"
            server._command("postfix", "abort")
            host.works(5 * MINUTE, 5 * MINUTE)
            second = letters(host)
            main.write_text(main.read_text().replace("450 4.2.1 busy", "DUNNO"))
            server.start()
            host.works(2 * HOUR, HOUR)
            third = letters(host)
            until(lambda: len(mailbox.taken) >= 2, "both mails")
            host.app.close()

    waiting = [("bad@example.org", "waiting"), ("good@example.org", "sent")]
    assert waiting == first == second
    assert [("bad@example.org", "sent"), ("good@example.org", "sent")] == third
    alerts = [one for one in mailbox.taken if b"event=new" in one[1]]
    assert ["bad@example.org", "good@example.org"] == sorted(to for to, _ in alerts)
    assert 2 == len(names(alerts))
