"""
An IMAP server in trouble: nothing lost, nothing twice in the database, a stop within 2 s.

| the server | here | tests/sources |
| --- | --- | --- |
| hangs at each step, in the middle of a mail, at the TLS handshake | fake | stop only |
| hangs up or says BYE at each step, in the middle of a mail or a line | fake | at six steps |
| loses the answer to MOVE after the mails were moved | fake | |
| sends other mails than asked for, fewer, flags alone, wrong sizes | fake | one withheld |
| announces a literal of gigabytes | fake | |
| is slow: a few bytes at a time, within the time-out | fake | cut off past the limit |
| refuses the login: wrong password, UNAVAILABLE, too many connections | fake, Dovecot | texts |
| has no room in the done folder (OVERQUOTA) | Dovecot | refused move |
| has a mailbox that may only be read | Dovecot | its text |
| loses the folder, or has it renamed, while it is read | Dovecot | done folder |
| makes the folder anew: another UIDVALIDITY | Dovecot | drain |
| expunges by another client between listing and fetch | Dovecot | fake |
| changes its capabilities after login | fake, Dovecot | |
| is killed and started again | Dovecot | drain |
| is away for long: back-off grows, is capped, no restart is needed | fake | |
"""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.servers.dovecot import Dovecot
from tests.sources.fake_imap import HANG, fake_imap
from tests.sources.imap_parts import until
from tests.trouble.imap import CUT, Box, Server, domains, reports
from tlsrpt_mailer.sources.imap import Pace, retry_delay

COUNT = 5
BYE = b"* BYE shutting down\r\n" + CUT
STEPS = (
    "CAPABILITY",
    "AUTHENTICATE",
    "SELECT",
    "UID SEARCH",
    "UID FETCH",
    "BODY.PEEK",
    "LIST",
    "UID MOVE",
    "NOOP",
    "IDLE",
    "DONE",
)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(dict(enumerate(reports(COUNT), 1)))
    made.after_login += b" IDLE"
    made.on["IDLE"] = lambda _: b"+ idling\r\n"
    with fake_imap(made):
        yield made


@pytest.fixture
def box(tmp_path: Path, server: Server) -> Iterator[Box]:
    made = Box(tmp_path, server.port)
    yield made
    made.close()


def breaks(server: Server, step: str, reply: bytes | None, times: int = 2) -> list[bytes | None]:
    """The next *times* commands with *step* in them get *reply*; returns what is left of that."""
    left = [reply] * times
    standard = server._answer

    def answer(line: str) -> bytes | None:
        if step in line and left:
            return left.pop()
        return standard(line)

    server._answer = answer  # type: ignore[method-assign]
    return left


def recovers(box: Box, server: Server, left: list[bytes | None]) -> None:
    """The trouble passes by itself, each report is stored once, and each mail moved."""
    with box.running():
        until(lambda: not left, "the trouble")
        until(lambda: len(box.stored()) == COUNT and not server.mails, "recovery")
        until(lambda: not box.trouble, "the end of the trouble")

    assert domains(COUNT) == box.stored()
    assert [1, 2, 3, 4, 5] == sorted(server.moved)


# ------------------------------------------------------------------ at each step


@pytest.mark.parametrize("step", STEPS)
def test_a_server_that_hangs_is_left_after_the_time_out(
    box: Box, server: Server, step: str
) -> None:
    """Whatever the step: a second later another connection is tried, and it all comes."""
    recovers(box, server, breaks(server, step, HANG, times=1))


@pytest.mark.parametrize(
    ("step", "reply"),
    [(step, None) for step in STEPS]
    + [(step, BYE) for step in ("SELECT", "BODY.PEEK", "UID MOVE", "IDLE")]
    + [(step, b"* 1 FET" + CUT) for step in ("UID SEARCH", "BODY.PEEK", "UID MOVE", "DONE")],
)
def test_a_server_that_hangs_up_is_asked_again(
    box: Box, server: Server, step: str, reply: bytes | None
) -> None:
    """At once, with a goodbye, or in the middle of a line."""
    recovers(box, server, breaks(server, step, reply))


@pytest.mark.parametrize("reply", [b"abc", b"abc" + CUT, b"abc\r\n* BYE x\r\n" + CUT])
def test_a_mail_that_breaks_off_in_the_middle_is_no_mail(
    box: Box, server: Server, reply: bytes
) -> None:
    """A literal that stops half-way: nothing of it is stored, and the mail comes whole later."""
    left = breaks(server, "BODY.PEEK", b"* 1 FETCH (UID 1 BODY[] {5000}\r\n" + reply, times=1)

    recovers(box, server, left)


@pytest.mark.parametrize("step", ["CAPABILITY", "BODY.PEEK", "LIST", "UID MOVE", "NOOP"])
def test_the_stop_waits_for_nothing(box: Box, server: Server, step: str) -> None:
    """Hanging at any step, with a minute of patience left: the program ends all the same."""
    box.options["timeout"] = 60
    breaks(server, step, HANG, times=99)
    with box.running(Pace(first_idle=540)):
        until(lambda: any(step in line for line in server.heard), step)


def test_a_server_silent_at_the_tls_handshake(tmp_path: Path) -> None:
    """It accepts and says nothing: the time-out ends it, and the stop does at once."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        box = Box(tmp_path, mute.getsockname()[1], security="tls")
        with box.running():
            until(lambda: box.trouble, "the time-out")
        box.options["timeout"] = 60
        with box.running():
            threading.Event().wait(0.1)
        box.close()

    assert "did not answer within 1 s" in (box.health.state.error or "")


def test_the_answer_to_move_is_lost(box: Box, server: Server) -> None:
    """The server moved the mails and died before it said so: that is over, and well."""
    standard = server._answer
    left = [1]

    def answer(line: str) -> bytes | None:
        if "UID MOVE" in line and left:
            left.pop()
            server.move(line)
            return None
        return standard(line)

    server._answer = answer  # type: ignore[method-assign]
    with box.running():
        until(lambda: not left and box.health.state.state == "ok", "recovery")

    assert domains(COUNT) == box.stored()
    assert [] == list(server.mails)


# ------------------------------------------------------------------ other than asked


def lies(server: Server, answer: bytes | None, times: int = 1) -> list[bytes | None]:
    return breaks(server, "BODY.PEEK", answer, times)


def test_fewer_mails_than_asked_for_are_asked_for_again(box: Box, server: Server) -> None:
    """Three of five come: those are stored, the others come by the next look."""
    standard = server._uid
    hidden = {2, 4}

    def uid(command: str) -> bytes:
        if "BODY.PEEK" in command and hidden:
            kept = {uid: server.mails.pop(uid) for uid in list(hidden) if uid in server.mails}
            found = standard(command)
            server.mails.update(kept)
            if "," not in command and ":" not in command.split("FETCH")[1]:
                hidden.clear()
            return found
        return standard(command)

    server._uid = uid  # type: ignore[method-assign]
    with box.running():
        until(lambda: len(box.stored()) == COUNT and not server.mails, "all mails")

    assert domains(COUNT) == box.stored()


@pytest.mark.parametrize(
    "extra",
    [
        b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n",
        b"* 3 FETCH (FLAGS (\\Seen))\r\n",
        b"* 99 FETCH (UID 999 BODY[] {3}\r\nabc)\r\n",
        b"* 1 FETCH (UID 1 RFC822.SIZE 7)\r\n",
        b"* 0 FETCH (UID 0 BODY[] NIL)\r\n",
        b"* 6 EXISTS\r\n* 1 RECENT\r\n",
        b"* OK [ALERT] the disk is nearly full\r\n",
        b"* VANISHED 77\r\n",
    ],
)
def test_what_nobody_asked_for_is_passed_over(box: Box, server: Server, extra: bytes) -> None:
    """Flags that change meanwhile, mails that were not asked for: no harm, nothing twice."""
    standard = server._uid
    server._uid = lambda command: (  # type: ignore[method-assign]
        extra + standard(command) if "FETCH" in command else standard(command)
    )
    with box.running():
        until(lambda: len(box.stored()) == COUNT and not server.mails, "all mails")

    assert domains(COUNT) == box.stored()


@pytest.mark.parametrize("size", [b"0", b"1", b"999999999999", b"18446744073709551616"])
def test_sizes_that_are_wrong_lose_nothing(box: Box, server: Server, size: bytes) -> None:
    """Too small, and they are read all the same; too large, and they are named and stay."""
    standard = server._uid

    def uid(command: str) -> bytes:
        found = standard(command)
        if "RFC822.SIZE" in command:
            return b"".join(
                line.split(b"RFC822.SIZE")[0] + b"RFC822.SIZE " + size + b")\r\n"
                for line in found.splitlines()
            )
        return found

    server._uid = uid  # type: ignore[method-assign]
    with box.running():
        until(
            lambda: (
                len(box.stored()) + len(server.mails) == COUNT and box.health.state.state == "ok"
            ),
            "a look",
        )
        until(lambda: not server.mails or "too large" in box.warning, "an end")

    assert len(box.stored()) == COUNT - len(server.mails)


@pytest.mark.parametrize("size", [b"4294967295", b"99999999999999999999"])
def test_a_literal_of_gigabytes_is_not_waited_for(box: Box, server: Server, size: bytes) -> None:
    """The server announces more than any mail may have: the connection ends there, at once."""
    box.options["timeout"] = 60
    recovers(
        box, server, lies(server, b"* 1 FETCH (UID 1 BODY[] {" + size + b"}\r\n" + b"x" * 9000)
    )


def test_capabilities_that_change_after_login(box: Box, server: Server) -> None:
    """MOVE and UIDPLUS are offered only to who is logged in, and are used then."""
    assert b"MOVE" not in server.offers
    recovers(box, server, [])


def test_capabilities_that_go_away(tmp_path: Path, server: Server) -> None:
    """Another server behind the same name has no MOVE: mails are copied, and marked."""
    server.after_login = b"IMAP4rev1"
    box = Box(tmp_path, server.port)
    with box.running():
        until(lambda: any("UID COPY" in line for line in server.heard), "a copy")
        until(lambda: "UIDPLUS" in box.warning, "the warning")
    stored = box.stored()
    box.close()

    assert domains(COUNT) == stored
    assert not any(" EXPUNGE" in line for line in server.heard)


def test_a_slow_server_is_waited_for(box: Box, server: Server) -> None:
    """A few bytes now and then, each within the time-out: it all comes in the end."""
    plain = server._send

    def slow(connection: socket.socket, reply: bytes | None) -> bool:
        for start in range(0, len(reply or b""), 4_000):
            connection.sendall((reply or b"")[start : start + 4_000])
            threading.Event().wait(0.02)
        return True if reply else plain(connection, reply)

    server._send = slow  # type: ignore[method-assign]
    recovers(box, server, [])


# ------------------------------------------------------------------ the login


@pytest.mark.parametrize(
    "refusal",
    [
        b"TAG NO [AUTHENTICATIONFAILED] wrong\r\n",
        b"TAG NO [UNAVAILABLE] the user database is away\r\n",
        b"TAG NO [LIMIT] too many connections\r\n",
        b"TAG BAD what?\r\n",
        b"* BYE too many connections\r\n" + CUT,
    ],
)
def test_a_refused_login_is_tried_again_and_said_once(
    box: Box, server: Server, refusal: bytes
) -> None:
    """However often it is refused: one line, with the server's words, and one when it is over."""
    left = [refusal] * 4
    standard = server._answer
    last = [""]

    def answer(line: str) -> bytes | None:
        if not line.partition(" ")[2] and left and not server._logged_in:
            return left.pop().replace(b"TAG", server._idle.encode())
        last[0] = line
        return standard(line)

    server._answer = answer  # type: ignore[method-assign]
    with capture_logs() as logs:
        recovers(box, server, left)  # type: ignore[arg-type]
    events = [entry["event"] for entry in logs if entry["event"].startswith("source.")]

    assert 1 == events.count("source.trouble")
    assert 1 == events.count("source.recovered")


def test_the_wait_grows_and_has_an_end() -> None:
    """Seconds at first, five minutes at last, whatever the number of tries."""
    pace = Pace()
    waits = [retry_delay(tries, pace, 1.0) for tries in (1, 2, 3, 9, 10, 1_000, 10**9)]

    assert sorted(waits) == waits
    assert 300.0 == max(waits)
    assert waits[0] < 2


# ------------------------------------------------------------------ a real server


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    made = Dovecot()
    try:
        made.start()
        yield made
    finally:
        made.remove()


NAMES = iter(f"trouble{number}" for number in range(1_000))


@pytest.fixture
def user() -> str:
    return next(NAMES)


@pytest.fixture
def real(tmp_path: Path, dovecot: Dovecot, user: str) -> Iterator[Box]:
    made = Box(tmp_path, dovecot.port, user, timeout=10)
    dovecot.put(user, reports(COUNT))
    yield made
    made.close()


def mail_folder(dovecot: Dovecot, user: str) -> Path:
    return dovecot.folder / "mail" / user


@pytest.mark.servers
def test_a_folder_that_is_deleted_and_made_anew(dovecot: Dovecot, real: Box, user: str) -> None:
    """
    While the daemon reads it, somebody deletes the folder and makes another of that name:
    other numbers (UIDVALIDITY). The log says so, and what is in it is read.
    """
    with dovecot.client(user) as client:
        client.create_folder("Reports")
    dovecot.put(user, reports(2), "Reports")
    real.options |= {"folder": "Reports", "after": "keep"}
    with real.running(), capture_logs() as logs:
        until(lambda: len(real.stored()) == 2, "the first mails")
        with dovecot.client(user) as client:
            client.delete_folder("Reports")
        until(lambda: 'no folder "Reports"' in real.trouble, "the loss")
        with dovecot.client(user) as client:
            client.create_folder("Reports")
        dovecot.put(user, reports(COUNT), "Reports")
        until(lambda: len(real.stored()) == COUNT and not real.trouble, "the new mails")

    assert domains(COUNT) == real.stored()
    events = [entry["event"] for entry in logs]
    assert 1 == events.count("folder.renumbered")
    assert 1 == events.count("source.recovered")


@pytest.mark.servers
def test_a_folder_that_is_renamed_comes_back(dovecot: Dovecot, real: Box, user: str) -> None:
    """Under its old name again it is the same folder: nothing is read twice."""
    with dovecot.client(user) as client:
        client.create_folder("Reports")
    dovecot.put(user, reports(2), "Reports")
    real.options |= {"folder": "Reports", "after": "keep"}
    with real.running(), capture_logs() as logs:
        until(lambda: len(real.stored()) == 2, "the first mails")
        with dovecot.client(user) as client:
            client.rename_folder("Reports", "Elsewhere")
        until(lambda: real.trouble, "the loss")
        with dovecot.client(user) as client:
            client.rename_folder("Elsewhere", "Reports")
        dovecot.put(user, reports(3)[2:], "Reports")
        until(lambda: len(real.stored()) == 3 and not real.trouble, "the third mail")

    outcomes = [entry["outcome"] for entry in logs if entry["event"] == "mail.taken"]
    assert ["stored"] * 3 == [one for one in outcomes if one != "duplicate"]


@pytest.mark.servers
def test_mails_that_another_client_expunges(dovecot: Dovecot, real: Box, user: str) -> None:
    """Between our listing and our fetch two mails go: the others are read, nothing hangs."""
    plain = real.app.deliver
    gone = threading.Event()

    def deliver(mails: object) -> object:
        if not gone.is_set():
            with dovecot.client(user) as client:
                client.select_folder("INBOX")
                client.delete_messages(client.search()[:2])
                client.expunge()
            gone.set()
        return plain(mails)  # type: ignore[arg-type]

    real.app.deliver = deliver  # type: ignore[assignment, method-assign]
    with real.running():
        until(lambda: not dovecot.bodies(user), "an empty folder")

    assert domains(COUNT) == real.stored()
    assert 3 == len(dovecot.bodies(user, done_folder(dovecot, user)))


def done_folder(dovecot: Dovecot, user: str) -> str:
    return next(name for name in dovecot.folders(user) if name.endswith("Done"))


@pytest.mark.servers
def test_a_mailbox_that_may_only_be_read(dovecot: Dovecot, real: Box, user: str) -> None:
    """The mails are stored once; that they cannot be moved is said once, until they can."""
    box = mail_folder(dovecot, user)
    done = box / ".TLSRPT.Done"
    with real.running(), capture_logs() as logs:
        until(lambda: not dovecot.bodies(user), "the move")
        box.joinpath("cur").mkdir(exist_ok=True)
        shutil.rmtree(done)
        done.write_text("in the way")
        os.chown(done, 65_534, 65_534)
        dovecot.put(user, reports(COUNT + 1)[COUNT:])
        until(lambda: "mails stay in INBOX" in real.warning, "the warning")
        until(lambda: len(real.stored()) == COUNT + 1, "the mail")
        looks = len(logs)
        until(lambda: len(logs) >= looks, "more looks")
        done.unlink()
        until(lambda: not dovecot.bodies(user), "the move")
        until(lambda: not real.warning, "the end of the warning")

    assert domains(COUNT + 1) == real.stored()
    events = [entry["event"] for entry in logs]
    assert [1, 1, 1] == [
        events.count(name) for name in ("mails.not_moved", "source.warning", "source.mended")
    ]


@pytest.mark.servers
def test_a_server_that_is_killed_and_started(tmp_path: Path) -> None:
    """Three times while mails come in: each is stored once and moved."""
    own = Dovecot()
    own.start()
    box = Box(tmp_path, own.port, "u", timeout=5)
    mails = reports(9)
    try:
        with box.running():
            for number in range(3):
                own.put("u", mails[3 * number : 3 * number + 3])
                own.stop()
                until(lambda: box.trouble, "the loss")
                own.start()
                until(lambda: not box.trouble, "recovery")
            until(lambda: not own.bodies("u"), "an empty folder")
        stored = box.stored()
    finally:
        box.close()
        own.remove()

    assert domains(9) == stored


@pytest.mark.servers
def test_a_done_folder_without_room(tmp_path: Path) -> None:
    """
    [OVERQUOTA]: the mails are stored, stay where they are, and are moved once there is room;
    that is said once, and once when it is over.
    """
    mails = reports(COUNT)
    filler = b"Subject: filler\r\n\r\n" + b"x" * 6_000 + b"\r\n"
    room = 2 * sum(map(len, mails)) + 3_000
    own = Dovecot(capability="IMAP4rev1 UIDPLUS")
    with (own.folder / "dovecot.conf").open("a") as conf:
        conf.write(
            "mail_plugins = quota\nplugin {\n  quota = maildir:all\n"
            f"  quota_rule = *:bytes={room}\n  quota_grace = 0\n}}\n"
        )
    own.start()
    box = Box(tmp_path, own.port, "u", timeout=10)
    try:
        own.put("u", [filler, *mails])
        with box.running(), capture_logs() as logs:
            until(lambda: "[OVERQUOTA]" in box.warning, "the warning")
            stored = box.stored()
            looks = sum(one["event"] == "source.connected" for one in logs)
            with own.client("u") as client:
                client.select_folder("INBOX")
                client.delete_messages(client.search(["SUBJECT", "filler"]))
                client.expunge()
            until(lambda: not own.bodies("u"), "the move")
            until(lambda: not box.warning, "the end of the warning")
        again = box.stored()
    finally:
        box.close()
        own.remove()

    assert domains(COUNT) == stored == again
    assert 1 == looks
    events = [entry["event"] for entry in logs]
    assert [1, 1, 1] == [
        events.count(name) for name in ("mails.not_moved", "source.warning", "source.mended")
    ]


@pytest.mark.servers
def test_too_many_connections(tmp_path: Path) -> None:
    """Others hold all the connections of this user: it is said, and passes when one leaves."""
    own = Dovecot()
    conf = own.folder / "dovecot.conf"
    conf.write_text(conf.read_text().replace("connections = 50", "connections = 1"))
    own.start()
    own.put("u", reports(COUNT))
    box = Box(tmp_path, own.port, "u", timeout=10)
    try:
        with own.client("u") as client, box.running():
            until(lambda: "connections" in box.trouble, "the refusal")
            client.logout()
            until(lambda: len(box.stored()) == COUNT and not box.trouble, "recovery")
        stored = box.stored()
    finally:
        box.close()
        own.remove()

    assert domains(COUNT) == stored
