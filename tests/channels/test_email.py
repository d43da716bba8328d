"""The mail channel against relays that take, defer, refuse, hang and hang up."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.channels.relay import Certificates, line_by_line, relay, scripted
from tlsrpt_mailer.channels import email
from tlsrpt_mailer.channels.email import EmailChannel, Settings
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.ports import Letter

SENDER = "tlsrpt-mailer@mail.example.com"


ANSWER = Letter("<1@x>", "ana@example.com", "x", "answer", b"Subject: x")


def letter(raw: bytes = b"Subject: x\n\nbody\n", recipient: str = "ana@example.com") -> Letter:
    return Letter("<1@x>", recipient, "x", "new", raw)


def channel(port: int, password: str | None = None, **settings: Any) -> EmailChannel:
    kept = Settings(host="127.0.0.1", port=port, timeout=5, **settings)
    return EmailChannel(kept, (lambda: password) if password else None, SENDER)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"), "127.0.0.1")


def test_a_mail_that_the_relay_takes_is_one_mail_to_one_recipient():
    """The envelope names our sender and this recipient alone, and the answer is handed back."""
    with relay() as taking:
        answer = channel(taking.port).send(letter())

    assert answer == "250 2.0.0 taken as 7"
    (envelope,) = taking.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["ana@example.com"])
    assert bytes(envelope.content or b"") == b"Subject: x\r\n\r\nbody\r\n"


def test_an_answer_has_a_null_sender():
    """What answers an answer cannot bounce back to be answered (RFC 3834, 3.3)."""
    with relay() as taking:
        channel(taking.port).send(ANSWER)

    assert [("<>", ["ana@example.com"])] == [(e.mail_from, e.rcpt_tos) for e in taking.envelopes]


@pytest.mark.parametrize(
    "refusals",
    [
        ("553 5.7.1 not your address",),
        ("250 ok", "553 5.7.1 Sender address rejected: not owned by user"),
    ],
    ids=["at-mail", "at-rcpt"],
)
def test_an_answer_goes_out_where_each_login_must_name_itself(refusals: tuple[str, str]):
    """A relay that takes no null sender gets ours, in the same session."""
    begin = ("220 relay", "250-relay\r\n250 PIPELINING", *refusals, "250 reset")
    talk = line_by_line(*begin, "250 sender", "250 recipient", "354 go on", "250 taken")
    with scripted(talk) as port:
        answer = channel(port).send(ANSWER)

    assert "250 taken" == answer


@pytest.mark.parametrize("answers", [("450 4.2.0 later",), ("250 ok", "450 4.2.0 later")])
def test_an_answer_that_is_deferred_is_tried_later(answers: tuple[str, ...]):
    """4yz says that it may work with the null sender."""
    talk = line_by_line("220 relay", "250 relay", *answers, "250 anything", "250 else")
    with scripted(talk) as port, pytest.raises(Temporary, match="says 450"):
        channel(port).send(ANSWER)


def test_bare_line_ends_and_lines_of_one_dot_reach_the_relay_unharmed():
    """
    A mail that is handed on may hold a bare CR or LF and a line with a dot alone: the
    relay gets CRLF everywhere, the dot is still there, and no mail ends early.
    """
    raw = b"Subject: x\n\n.\r..\r\nMAIL FROM:<evil@example.com>\n.\nend"
    with relay() as taking:
        channel(taking.port).send(letter(raw))

    wanted = b"Subject: x\r\n\r\n.\r\n..\r\nMAIL FROM:<evil@example.com>\r\n.\r\nend\r\n"
    assert [wanted] == [bytes(e.content or b"") for e in taking.envelopes]


def test_eight_bit_text_is_announced():
    """A mail beyond ASCII goes with BODY=8BITMIME, as RFC 6152 wants it."""
    with relay() as taking:
        channel(taking.port).send(letter("Subject: x\n\nÜ".encode()))

    assert "BODY=8BITMIME" in taking.envelopes[0].mail_options


def test_an_address_beyond_ascii_needs_a_relay_that_takes_it():
    """With SMTPUTF8 the address goes out as it is; without, the mail is refused and says so."""
    with relay() as able:
        channel(able.port).send(letter(recipient="änne@example.com"))
    with relay(smtputf8=False) as unable, pytest.raises(Refused, match="SMTPUTF8"):
        channel(unable.port).send(letter(recipient="änne@example.com"))

    assert able.envelopes[0].rcpt_tos == ["änne@example.com"]


def test_a_recipient_with_a_line_end_never_becomes_a_command():
    """What is no address is refused for good, and nothing of it reaches the relay."""
    with relay() as taking, pytest.raises(Refused, match="cannot be an address"):
        channel(taking.port).send(letter(recipient="a@example.com>\r\nDATA"))

    assert taking.envelopes == []


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    ("reply", "error"),
    [("451 4.7.1 greylisted", Temporary), ("550 5.1.1 no such user", Refused)],
)
def test_the_answer_says_whether_another_try_makes_sense(stage: str, reply: str, error: type):
    """4yz to MAIL, RCPT or the mail is tried again, 5yz is not; the relay's words are kept."""
    with relay() as refusing:
        refusing.say[stage] = reply
        with pytest.raises(error, match=reply):
            channel(refusing.port).send(letter())


@pytest.mark.parametrize("code", [421, 530, 535])
def test_a_refusal_that_is_about_the_session_is_not_held_against_the_mail(code: int):
    """A demand for a login and the like are for the operator to mend: the mail waits."""
    with relay() as refusing:
        refusing.say["mail"] = f"{code} 5.7.0 not like this"
        with pytest.raises(Temporary, match=str(code)):
            channel(refusing.port).send(letter())


@pytest.mark.parametrize(
    ("replies", "error", "said"),
    [
        (("554 5.7.1 go away",), Temporary, "554 5.7.1 go away"),
        (("220 hello", "502 what?", "502 what?"), Temporary, "502"),
        (("220 hello", "250 r", "250 ok", "250 ok", None), Temporary, "onnection"),
        (("220 hello", "250 r", "250 ok", "250 ok", "452 4.3.1 disk full"), Temporary, "452"),
        (("220 hello", "250 r", "250 ok", "250 ok", "554 5.5.1 no"), Refused, "554 5.5.1 no"),
        (("220 hello", "250 r", "250 ok", "250 ok", "354 go", None), Temporary, "onnection"),
        (("220 hello", "250 r", "250 ok", "250 ok", "354 go", "451 later"), Temporary, "451 later"),
        (("220 hello", "250 r", "250 ok", "250 ok", "354 go", "554 spam"), Refused, "554 spam"),
        (("220 hello", "250 r", None), Temporary, "onnection"),
        (("garbage",), Temporary, "garbage|onnection|-1"),
        ((None,), Temporary, "onnection"),
    ],
)
def test_each_way_to_fail_is_temporary_or_final(replies: Any, error: type, said: str):
    """
    A greeting, a lost connection (before, in and after DATA) and an answer that is not
    SMTP are temporary; only a 5yz about this mail is final.
    """
    with scripted(line_by_line(*replies)) as port, pytest.raises(error, match=said):
        channel(port).send(letter())


def test_a_mail_that_was_taken_stays_taken_when_the_goodbye_fails():
    """The relay hangs up right after its 250: the mail counts as sent, not sent again."""
    replies = ("220 hello", "250 r", "250 ok", "250 ok", "354 go", "250 taken")
    with scripted(line_by_line(*replies)) as port:
        assert channel(port).send(letter()) == "250 taken"


def test_a_relay_that_says_nothing_is_given_up_after_the_timeout():
    """A silent relay costs its time-out, not the thread."""
    with scripted(lambda _: None) as port:
        silent = EmailChannel(Settings(port=port, timeout=1), None, SENDER)
        began = time.monotonic()
        with pytest.raises(Temporary, match="did not answer within 1 s"):
            silent.send(letter())

    assert time.monotonic() - began < 4


def test_a_relay_that_trickles_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    """A relay that sends one more line of its greeting for ever has an end."""
    monkeypatch.setattr(email, "LONGEST", 0.3)

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        while True:
            connection.sendall(b"250-and\r\n")

    with scripted(talk) as port, pytest.raises(Temporary):
        channel(port).send(letter())


def test_nobody_listens():
    """A relay that is down defers the mail and is named."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    with pytest.raises(Temporary, match=f"127.0.0.1:{port}: Connection refused"):
        channel(port).send(letter())


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_with_a_ca_of_ones_own(security: str, certificates: Certificates):
    """STARTTLS and TLS from the start both work with ca_file, and the mail goes encrypted."""
    context = certificates.server_context()
    with relay(context, tls=security == "tls") as safe:
        channel(safe.port, security=security, ca_file=str(certificates.ca)).send(letter())

    assert len(safe.envelopes) == 1
    assert security == "tls" or safe.encrypted == [True]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_gets_no_mail(
    security: str, certificates: Certificates
):
    """Without the CA the mail waits, and the text names ca_file."""
    context = certificates.server_context()
    with (
        relay(context, tls=security == "tls") as unsafe,
        pytest.raises(Temporary, match=r"is not trusted.*ca_file"),
    ):
        channel(unsafe.port, security=security).send(letter())

    assert unsafe.envelopes == []


def test_a_relay_without_starttls_gets_no_mail():
    """Where STARTTLS is configured and not offered (or stripped), nothing goes in the clear."""
    with relay() as plain, pytest.raises(Temporary, match="offers no STARTTLS"):
        channel(plain.port, security="starttls").send(letter())

    assert plain.envelopes == []


def test_tls_to_a_plain_port_is_said_in_words():
    """A relay that greets in the clear where TLS is configured: what to change."""
    with relay() as plain, pytest.raises(Temporary, match="does not speak TLS; alerts"):
        channel(plain.port, security="tls").send(letter())


def test_tls_that_breaks_is_temporary():
    """Garbage after STARTTLS defers the mail, in OpenSSL's words."""
    replies = ("220 hello", "250-r\r\n250 STARTTLS", "220 go ahead", "no TLS at all")
    with scripted(line_by_line(*replies)) as port, pytest.raises(Temporary, match="SSL"):
        channel(port, security="starttls").send(letter())


def test_starttls_that_is_offered_and_refused_is_temporary():
    """A relay whose TLS is out of order at the moment gets the mail later."""
    replies = ("220 hello", "250-r\r\n250 STARTTLS", "454 TLS not available")
    with scripted(line_by_line(*replies)) as port, pytest.raises(Temporary, match="454"):
        channel(port, security="starttls").send(letter())


def test_login(certificates: Certificates):
    """User and password are handed to the relay; a wrong one defers and quotes the refusal."""
    settings = {"username": "tlsrpt", "password_env": "X"}
    with relay() as asking:
        channel(asking.port, "right", **settings).send(letter())
        with pytest.raises(Temporary, match="refuses the login of tlsrpt: 535"):
            channel(asking.port, "wrong", **settings).send(letter())

    assert asking.users[0] == "tlsrpt"
    assert len(asking.envelopes) == 1


def test_a_password_that_cannot_be_read_defers_the_mail():
    """A missing password file is for the operator to mend: no mail is given up for it."""

    def unreadable() -> str:
        raise ConfigError("password_file: /x: No such file or directory")

    settings = Settings(username="tlsrpt", password_file="/x")

    with pytest.raises(Temporary, match="No such file"):
        EmailChannel(settings, unreadable, SENDER).send(letter())


def test_a_ca_file_that_cannot_be_read_defers_the_mail(tmp_path: Path):
    """The text names the key and the file."""
    missing = tmp_path / "ca.pem"

    with relay() as plain, pytest.raises(Temporary, match=r"ca_file.*No such file"):
        channel(plain.port, security="tls", ca_file=str(missing)).send(letter())


def test_our_name_is_what_was_configured():
    """Our name to the relay is what `helo` says."""
    with relay() as taking:
        channel(taking.port, helo="mail.example.com").send(letter())

    assert taking.helo == ["mail.example.com"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"username": "x"}, "username needs password_file"),
        ({"password_env": "X"}, "a password needs a username"),
        (
            {"host": "relay.example", "username": "x", "password_env": "X"},
            "readable over the network",
        ),
    ],
)
def test_settings_that_contradict_each_other(settings: Any, problem: str):
    """Half a login, or a password in the clear over a network, stops the start."""
    with pytest.raises(ValueError, match=problem):
        Settings(**settings)
