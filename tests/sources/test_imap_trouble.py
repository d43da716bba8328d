"""The IMAP source against servers that refuse, hang, hang up and lie; and its stop."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.channels.relay import Certificates
from tests.servers.dovecot import Dovecot
from tests.sources.fake_imap import HANG, FakeImap, fake_imap
from tests.sources.imap_parts import Rig, mail, subject_of, until
from tlsrpt_mailer.errors import ConfigError, Temporary, Unreachable
from tlsrpt_mailer.sources import imap_guard, imap_session
from tlsrpt_mailer.sources.imap import ImapSource, Pace

pytestmark = pytest.mark.servers

PATIENT = Pace(first_retry=0.02, longest_retry=0.1, first_idle=500, idle=500)
FOREVER = 86_400


@pytest.fixture
def fake() -> Iterator[FakeImap]:
    with fake_imap(FakeImap({1: mail("a"), 2: mail("b"), 3: mail("c")})) as one:
        yield one


def said(fake: FakeImap, **settings: Any) -> str:
    """What a drain of the fake ends with."""
    with pytest.raises(Unreachable) as trouble:
        Rig(fake.port, "tlsrpt@example.com", **settings).drain()
    return str(trouble.value)


# ------------------------------------------------------------------ logging in


def test_a_wrong_password_quotes_the_server(dovecot: Dovecot, rig: Rig):
    """The error names who was refused where, with the server's own words."""
    rig.password = "wrong"

    with pytest.raises(Unreachable) as refusal:
        rig.drain()

    user = rig.options["username"]
    assert str(refusal.value) == (
        f"127.0.0.1 refuses the login of {user}: [AUTHENTICATIONFAILED] Authentication failed."
    )


MICROSOFT = """\
127.0.0.1 refuses the login of tlsrpt@example.com: LOGIN failed.
It offers AUTH=XOAUTH2 and no passwords, as Microsoft 365 does. Either
  set auth = "xoauth2" and token_command = ["/path/to/helper"] in this source
  (docs/how-to/imap.md says what the helper must print), or
  let a mail flow rule send the reports on to an smtp source."""


def test_a_server_without_passwords_is_explained(fake: FakeImap):
    """Microsoft 365 says only "LOGIN failed": the error says what to do."""
    fake.offers = b"IMAP4rev1 AUTH=XOAUTH2"
    fake.on["LOGIN"] = lambda _: b"TAG NO LOGIN failed.\r\n"

    assert said(fake) == MICROSOFT


@pytest.mark.parametrize(
    ("offers", "advice"),
    [
        (b"IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2", "app password"),
        (b"IMAP4rev1 LOGINDISABLED", 'set security = "tls"'),
        (b"IMAP4rev1", "LOGIN failed."),
    ],
)
def test_each_refusal_comes_with_what_may_help(fake: FakeImap, offers: bytes, advice: str):
    """What the server offers decides what is advised."""
    fake.offers = offers
    fake.on["LOGIN"] = fake.on["AUTHENTICATE"] = lambda _: b"TAG NO LOGIN failed.\r\n"

    assert advice in said(fake)


def test_xoauth2_sends_user_and_token(fake: FakeImap):
    """The token goes out as RFC 7628's predecessor XOAUTH2 wants it, and mails come."""
    rig = Rig(fake.port, "me@example.com", auth="xoauth2", token_env="T", password_env=None)
    rig.password = "ey.token"

    rig.drain()

    at = next(i for i, line in enumerate(fake.heard) if "AUTHENTICATE XOAUTH2" in line)
    sent = base64.b64decode(fake.heard[at + 1])
    assert sent == b"user=me@example.com\1auth=Bearer ey.token\1\1"
    assert rig.taking.subjects == ["a", "b", "c"]


def test_a_refused_token_shows_the_servers_reason(fake: FakeImap):
    """The JSON that the server answers a bad token with is part of the error."""
    fake.offers = b"IMAP4rev1 AUTH=XOAUTH2"
    fake.objection = b'{"status":"invalid_request"}'

    text = said(fake, auth="xoauth2", token_env="T", password_env=None)

    assert 'AUTHENTICATE failed. {"status":"invalid_request"}' in text
    assert "token_command" in text


def test_xoauth2_at_a_server_that_has_none(fake: FakeImap):
    """The advice is to leave it out."""
    fake.on["AUTHENTICATE"] = lambda _: b"TAG NO what?\r\n"

    assert 'leave auth = "xoauth2" out' in said(
        fake, auth="xoauth2", token_env="T", password_env=None
    )


# ------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("imap-tls")
    return Certificates(folder, "127.0.0.1")


@pytest.fixture(scope="module")
def secure(certificates: Certificates) -> Iterator[Dovecot]:
    server = Dovecot(certificate=certificates.certificate, key=certificates.key)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_tls_with_a_ca_of_ones_own(
    secure: Dovecot, certificates: Certificates, user: str, security: str
):
    """Both kinds of TLS work with ca_file, and moving works over them."""
    secure.put(user, [mail("a")])
    port = secure.tls_port if security == "tls" else secure.port
    rig = Rig(port, user, security=security, ca_file=str(certificates.ca))

    rig.drain(after="move")

    assert rig.taking.subjects == ["a"]
    assert secure.bodies(user) == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_wrong_ca_gets_no_password(secure: Dovecot, user: str, security: str, tmp_path: Path):
    """A certificate that is not of the CA named ends the conversation before the login."""
    other = Certificates(tmp_path, "127.0.0.1")
    port = secure.tls_port if security == "tls" else secure.port

    with pytest.raises(Unreachable, match="is not trusted") as trouble:
        Rig(port, user, security=security, ca_file=str(other.ca)).drain()

    assert "ca_file" in str(trouble.value)
    assert f"user=<{user}>" not in secure.log()


def test_a_certificate_for_another_name_is_refused(tmp_path: Path, user: str):
    """Right CA, wrong host: no login either."""
    issued = Certificates(tmp_path, "imap.example.net")
    server = Dovecot(certificate=issued.certificate, key=issued.key)
    try:
        server.start()
        with pytest.raises(Unreachable, match="not trusted"):
            Rig(server.tls_port, user, security="tls", ca_file=str(issued.ca)).drain()
    finally:
        server.remove()


def test_a_server_without_starttls_gets_no_password(dovecot: Dovecot, rig: Rig):
    """STARTTLS that is missing (or stripped on the way) ends the conversation."""
    with pytest.raises(Unreachable, match="offers no STARTTLS"):
        rig.drain(security="starttls")


def test_tls_to_a_plain_port_is_said_in_words(dovecot: Dovecot, rig: Rig):
    """Port 143 with security = "tls": what to change, not what OpenSSL calls it."""
    with pytest.raises(Unreachable, match='does not speak TLS on that port; security = "starttls"'):
        rig.drain(security="tls")


def test_idle_over_tls(secure: Dovecot, certificates: Certificates, user: str):
    """New mail is noticed over an encrypted connection too, and the stop is as quick."""
    rig = Rig(secure.tls_port, user, security="tls", ca_file=str(certificates.ca), poll=FOREVER)
    with rig.running():
        until(lambda: rig.said.details, "the first look")
        secure.put(user, [mail("a")])
        until(lambda: rig.taking.mails, "the hint")

    assert rig.taking.subjects == ["a"]
    assert rig.said.troubles == []


# ------------------------------------------------------------------ waiting


def idling(dovecot: Dovecot, user: str) -> bool:
    """Does the server say that this user's process waits in IDLE?"""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = line.read_bytes()
        except OSError:
            continue
        if f"[{user} 127.0.0.1 IDLE]".encode() in text:
            return True
    return False


def test_idle_notices_a_new_mail_at_once(dovecot: Dovecot, rig: Rig, user: str):
    """With IDLE a report is taken long before the next poll."""
    with rig.running(PATIENT, poll=FOREVER):
        until(lambda: rig.said.details, "the first look")
        until(lambda: idling(dovecot, user), "IDLE")
        dovecot.put(user, [mail("a")])
        until(lambda: rig.taking.mails, "the hint")

    assert rig.taking.subjects == ["a"]
    assert rig.said.troubles == []


def test_idle_is_renewed_before_the_server_loses_patience(rig: Rig, dovecot: Dovecot):
    """IDLE ends and begins anew in its own time, on the same connection."""
    pace = Pace(first_idle=0.05, idle=0.05)
    with rig.running(pace, poll=FOREVER):
        until(lambda: len(rig.said.beats) > 10, "renewals")

    assert len(rig.said.details) == 1
    assert rig.said.troubles == []


def test_the_poll_finds_what_no_hint_told(fake: FakeImap):
    """A server without IDLE (or with one that lies) is looked at on a timer."""
    rig = Rig(fake.port, "u", poll=0.1)
    with rig.running():
        until(lambda: len(rig.taking.mails) == 3, "the first look")
        fake.mails[9] = mail("d")
        until(lambda: len(rig.taking.mails) == 4, "the poll")

    assert rig.taking.subjects == ["a", "b", "c", "d"]
    assert fake.connections == 1


def test_a_long_poll_keeps_the_connection_alive(fake: FakeImap):
    """Without IDLE, a NOOP now and then keeps the server from logging us out."""
    rig = Rig(fake.port, "u", poll=FOREVER)
    with rig.running(Pace(idle=0.05)):
        until(lambda: sum("NOOP" in line for line in fake.heard) > 2, "NOOPs")

    assert fake.connections == 1


def test_a_hint_right_before_idle_begins_costs_a_connection_at_most(fake: FakeImap):
    """EXISTS before the "+" confuses imaplib: the source connects anew and reads the mail."""
    fake.after_login += b" IDLE"
    answers = [b"* 4 EXISTS\r\n+ idling\r\n", b"+ idling\r\n"]

    def idle(line: str) -> bytes:
        fake.mails[4] = mail("d")
        return answers.pop(0) if answers else HANG

    fake.on["IDLE"] = idle
    rig = Rig(fake.port, "u", poll=FOREVER)
    with rig.running(PATIENT):
        until(lambda: len(rig.taking.mails) == 4, "the fourth mail")

    assert rig.taking.subjects == ["a", "b", "c", "d"]


# ------------------------------------------------------------------ losing the server


def test_a_restart_in_the_middle_of_a_drain_loses_nothing(user: str):
    """The server goes away between two batches: each mail is taken, and ends where it should."""
    server = Dovecot()
    try:
        server.start()
        with server.client(user) as client:
            client.multiappend("INBOX", [mail(str(n)) for n in range(700)])
        rig = Rig(server.port, user, poll=FOREVER)
        kill_at = {2, 3}

        def restart() -> None:
            if len(rig.taking.batches) in kill_at:
                kill_at.discard(len(rig.taking.batches))
                server.restart()

        rig.taking.before = restart
        with rig.running(after="move"):
            until(lambda: rig.said.details, "the end of the drain")
        left = server.bodies(user)
        done = [subject_of(raw) for raw in server.bodies(user, "TLSRPT.Done")]
    finally:
        server.remove()

    wanted = {str(n) for n in range(700)}
    assert left == []
    assert set(rig.taking.subjects) == wanted
    assert sorted(done) == sorted(wanted)
    assert rig.said.troubles
    assert kill_at == set()


def test_a_server_that_is_down_is_tried_for_ever(fake: FakeImap):
    """Each failure says what happened and when the next try comes, until it works again."""
    fake.greeting = None
    rig = Rig(fake.port, "u", poll=FOREVER)
    with rig.running():
        until(lambda: len(rig.said.troubles) > 6, "failures")
        fake.greeting = b"* OK ready\r\n"
        until(lambda: rig.taking.mails, "the mails")

    assert rig.taking.subjects == ["a", "b", "c"]
    assert all("127.0.0.1" in trouble for trouble in rig.said.troubles)
    assert all(wait is not None for wait in rig.said.waits)


@pytest.mark.parametrize(
    "command", ["CAPABILITY", "AUTHENTICATE", "EXAMINE", "UID SEARCH", "UID FETCH", "IDLE"]
)
@pytest.mark.parametrize("answer", [None, b"\0\0what?\r\n", b"* BYE too busy\r\n"])
def test_whatever_breaks_is_trouble_and_not_the_end(
    fake: FakeImap, command: str, answer: bytes | None
):
    """A server that hangs up, talks nonsense or says BYE at any point is tried again."""
    fake.after_login += b" IDLE"
    left = [answer, answer]
    standard = fake._answer

    def broken(line: str) -> bytes | None:
        if command in line and left:
            return left.pop()
        return standard(line)

    fake._answer = broken  # type: ignore[method-assign]
    fake.on["IDLE"] = lambda _: b"+ idling\r\n"
    rig = Rig(fake.port, "u", poll=FOREVER, timeout=1)
    with rig.running():
        until(lambda: not left and len(set(rig.taking.subjects)) == 3, "recovery")

    assert set(rig.taking.subjects) == {"a", "b", "c"}


def test_a_silent_server_is_given_up_after_the_timeout(fake: FakeImap):
    """A server that stops answering costs its time-out and is named."""
    fake.on["UID FETCH"] = lambda _: HANG

    assert said(fake, timeout=1) == "127.0.0.1 did not answer within 1 s"


def test_a_server_that_trickles_is_cut_off(fake: FakeImap, monkeypatch: pytest.MonkeyPatch):
    """An answer that never ends loses its connection after the limit for one command."""
    monkeypatch.setattr(imap_session, "LONGEST", 0.2)
    monkeypatch.setattr(imap_guard, "GLANCE", 0.05)
    ended = threading.Event()

    def endless(connection: Any) -> None:
        connection.sendall(b"* OK ready\r\n")
        lines = connection.makefile("rb")
        for raw in lines:
            if b"EXAMINE" in raw:
                break
            connection.sendall(fake._answer(raw.decode().rstrip()) or b"")
        try:
            while not ended.wait(0.02):
                connection.sendall(b"* 1 EXISTS\r\n")
        except OSError:
            ended.set()

    fake.talk = endless  # type: ignore[method-assign]

    assert "127.0.0.1" in said(fake)
    assert ended.wait(5)


def test_nobody_listens():
    """A refused connection is named as such."""
    with fake_imap(FakeImap()) as gone:
        pass

    assert said(gone) == "127.0.0.1: Connection refused"


def test_a_server_that_declines_the_basics_ends_once(fake: FakeImap):
    """`once` says what the server refused and leaves."""
    fake.on["UID SEARCH"] = lambda _: b"TAG NO not today\r\n"

    assert "not today" in said(fake)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"* 3 EXISTS\r\nTAG OK done\r\n", "gives no UIDVALIDITY"),
        (b"TAG NO [INUSE] locked\r\n", 'folder "INBOX": select failed: [INUSE] locked'),
    ],
)
def test_a_folder_that_cannot_be_opened(fake: FakeImap, answer: bytes, text: str):
    """The server's reason reaches the operator."""
    fake.on["EXAMINE"] = lambda _: answer

    assert text in said(fake)


def test_a_folder_that_may_only_be_read(fake: FakeImap):
    """Moving out of somebody else's folder cannot work, and the text says what does."""
    fake.on["SELECT"] = lambda _: b"* 1 EXISTS\r\n* OK [READ-ONLY] \r\nTAG OK [READ-ONLY] x\r\n"

    assert 'may only be read, so set after = "keep"' in said(fake, after="move")


# ------------------------------------------------------------------ mails that do not come


def refusing(fake: FakeImap, uid: int, answer: bytes | None) -> None:
    """Whenever the body of *uid* is asked for, *answer* instead."""
    standard = fake._uid

    def fetch(line: str) -> bytes | None:
        tag, _, command = line.partition(" ")
        asked = command.split(" ")[2].split(",")
        if "BODY" in line and str(uid) in asked:
            return answer
        return standard(command) + f"{tag} OK done\r\n".encode()

    fake.on["UID FETCH"] = fetch


@pytest.mark.parametrize("answer", [b"TAG NO [SERVERBUG] x\r\n", b"TAG OK nothing\r\n"])
def test_a_mail_that_the_server_withholds_stops_nobody(fake: FakeImap, answer: bytes):
    """
    The server lists three mails and hands out two: those are taken, the third is named
    in status, and asked for again until it comes.
    """
    refusing(fake, 2, answer)
    rig = Rig(fake.port, "u")
    rig.drain()
    first = (rig.taking.subjects, rig.said.warning)
    fake.on.clear()

    rig.drain()

    assert first[0] == ["a", "c"]
    assert "1 mail (UID 2) is not handed out by the server" in first[1]
    assert rig.taking.subjects == ["a", "c", "b"]
    assert rig.said.warning == ""
    assert rig.positions.outcomes() == {}


def test_a_mail_that_kills_the_connection_stops_nobody(fake: FakeImap):
    """A server that dies of one mail is asked for it three times; the others are taken."""
    refusing(fake, 2, None)
    rig = Rig(fake.port, "u", poll=FOREVER)
    with rig.running():
        until(lambda: len(rig.taking.mails) >= 2 and rig.said.details, "the others")

    assert rig.taking.subjects == ["a", "c"]
    assert len(rig.said.troubles) == 3
    assert "fetching ends the connection" in rig.said.warning


def test_a_mail_that_vanishes_before_it_is_fetched_is_no_trouble(fake: FakeImap):
    """Somebody deletes a mail between the listing and the fetch: the others are taken."""
    standard = fake._uid

    def fetch(line: str) -> bytes:
        tag, _, command = line.partition(" ")
        if "BODY" in line:
            fake.mails.pop(2, None)
        return standard(command) + f"{tag} OK done\r\n".encode()

    fake.on["UID FETCH"] = fetch
    rig = Rig(fake.port, "u")

    rig.drain()

    assert rig.taking.subjects == ["a", "c"]
    assert rig.said.warning == ""


def test_a_server_that_names_no_uidnext(fake: FakeImap):
    """UIDNEXT is optional: "n:*" is asked instead, and its last mail is not read twice."""
    fake.uidnext = False
    rig = Rig(fake.port, "u")

    rig.drain()
    rig.drain()

    assert rig.taking.subjects == ["a", "b", "c"]


def test_without_internaldate_the_mail_was_taken_now(fake: FakeImap):
    """A server that names no date gives our own."""
    rig = Rig(fake.port, "u")

    rig.drain()

    assert {one.taken_at for one in rig.taking.mails} == {rig.now}


# ------------------------------------------------------------------ trouble of ours


def test_a_locked_database_is_trouble_that_passes(fake: FakeImap):
    """Positions that cannot be read are said to be so, and tried again."""
    rig = Rig(fake.port, "u", poll=FOREVER)
    plain = rig.positions.position
    left = [Temporary("the database is locked"), RuntimeError("a bug")]

    def position(source: str, folder: str) -> Any:
        if left:
            raise left.pop(0)
        return plain(source, folder)

    rig.positions.position = position  # type: ignore[method-assign]
    with rig.running():
        until(lambda: rig.taking.mails, "the mails")

    assert rig.said.troubles == ["the database is locked", "a bug of ours: RuntimeError: a bug"]


def test_a_password_that_cannot_be_read_is_trouble_that_passes(dovecot: Dovecot, rig: Rig):
    """A secret that is being rotated does not end the source."""
    source = rig.source()
    left = [ConfigError("password_file: no such file")]

    def secret() -> str:
        if left:
            raise left.pop()
        return rig.password

    source._secret = secret
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(rig.taking, rig.said, stop))
    thread.start()
    until(lambda: rig.said.details, "the login")
    stop.set()
    thread.join(5)

    assert rig.said.troubles == ["password_file: no such file"]


# ------------------------------------------------------------------ stopping


@pytest.mark.parametrize("command", ["AUTHENTICATE", "EXAMINE", "UID SEARCH", "UID FETCH", "DONE"])
def test_the_stop_waits_for_no_server(fake: FakeImap, command: str):
    """Wherever the server hangs, the source ends within 1.5 s of the stop (`running` checks)."""
    fake.after_login += b" IDLE"
    fake.on["IDLE"] = lambda _: b"+ idling\r\n"
    fake.on[command] = lambda _: HANG
    rig = Rig(fake.port, "u", poll=FOREVER, timeout=60)
    with rig.running(PATIENT):
        awaited = "IDLE" if command == "DONE" else command
        until(lambda: any(awaited in line for line in fake.heard), command)

    assert rig.said.troubles == []


def test_the_stop_waits_for_no_greeting_and_no_password(fake: FakeImap):
    """A server that accepts and says nothing, and a password command that hangs."""
    fake.greeting = HANG
    with Rig(fake.port, "u", timeout=60).running():
        until(lambda: fake.connections, "the connection")

    rig = Rig(fake.port, "u")
    asked, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        asked.set()
        go_on.wait(20)
        return "x"

    source = rig.source()
    source._secret = slow
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(rig.taking, rig.said, stop))
    thread.start()
    asked.wait(5)
    stop.set()
    thread.join(1.5)
    went = not thread.is_alive()
    go_on.set()

    assert went


def test_close_ends_a_hanging_read_from_another_thread(fake: FakeImap):
    """`close` works at any time, also before and after a conversation."""
    fake.on["UID FETCH"] = lambda _: HANG
    rig = Rig(fake.port, "u", timeout=60)
    source: ImapSource = rig.source()
    source.close()
    ended: list[str] = []

    def drain() -> None:
        try:
            source.drain(rig.taking, rig.said)
        except Unreachable as error:
            ended.append(str(error))

    thread = threading.Thread(target=drain)
    thread.start()
    until(
        lambda: (
            any("BODY" in line for line in fake.heard)
            or any("UID FETCH" in line for line in fake.heard)
        ),
        "the fetch",
    )
    source.close()
    thread.join(5)
    source.close()

    assert len(ended) == 1


def test_a_stop_between_batches_keeps_what_was_taken(dovecot: Dovecot, rig: Rig, user: str):
    """The stop comes in the middle of an old mailbox: the next start goes on from there."""
    with dovecot.client(user) as client:
        client.multiappend("INBOX", [mail(str(n)) for n in range(500)])
    hold = threading.Event()
    rig.taking.before = hold.set
    with rig.running(poll=FOREVER):
        hold.wait(10)
    first = len(rig.taking.mails)

    rig.drain()

    assert 0 < first <= 500
    assert rig.taking.subjects == [str(n) for n in range(500)]
