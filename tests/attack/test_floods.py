"""Floods of connections, of commands and of data."""

import contextlib
import select
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.attack.victim import CONNECTIONS, MAX_SIZE, Victim, crowd
from tests.e2e.daemon import RECIPIENT
from tests.e2e.waiting import until
from tests.sources.listeners import Client, Running, listening
from tlsrpt_mailer.sources.smtp_protocol import Connection

OURS = "127.0.0.1"
MEGABYTE = b"x" * 65_536 * 16


def _strangers(running: Running, count: int, address: str) -> list[Client]:
    return [Client(running.port, source_address=address) for _ in range(count)]


@contextmanager
def _house(**settings: int) -> Iterator[Running]:
    """A listener to which all but 127.0.0.1 are strangers."""
    with listening("smtp", is_local=lambda address: address == OURS, **settings) as smtp:
        yield smtp


def test_a_flood_from_one_address_takes_its_own_places_alone() -> None:
    """
    Whoever is turned away for having too many connections takes no place from others:
    not even while it does not read that it was turned away.
    """
    with _house(max_connections=4, max_connections_per_peer=2) as smtp, ExitStack() as stack:
        flood = [stack.enter_context(one) for one in _strangers(smtp, 50, "127.0.0.2")]
        answers = [one.answer()[:3] for one in flood]

        assert ["220"] * 2 + ["421"] * 48 == answers
        assert (
            Client(smtp.port, source_address="127.0.0.3").greet("EHLO x").deliver()[0][:3] == "250"
        )


def test_a_newcomer_gets_the_place_of_who_has_many() -> None:
    """A few addresses that take all places lose one to whoever has none, at once."""
    with _house(max_connections=6, max_connections_per_peer=3) as smtp, ExitStack() as stack:
        flood = [
            stack.enter_context(one)
            for address in ("127.0.0.2", "127.0.0.3")
            for one in _strangers(smtp, 3, address)
        ]
        assert ["220"] * 6 == [one.answer()[:3] for one in flood]

        honest = Client(smtp.port, source_address="127.0.0.4").greet("EHLO x")

        assert honest.deliver()[0].startswith("250")
        assert flood[0].rest() == ["421 4.7.0 Others wait, come again later"]
        assert [one.ask("NOOP")[:3] for one in flood[1:]] == ["250"] * 5


def test_nobody_loses_a_place_to_one_who_has_as_many() -> None:
    """Strangers with one connection each keep it, and so does this machine's own MTA."""
    with _house(max_connections=4, max_connections_per_peer=3) as smtp, ExitStack() as stack:
        clients = [
            stack.enter_context(one)
            for address in (OURS, OURS, "127.0.0.2", "127.0.0.3")
            for one in _strangers(smtp, 1, address)
        ]
        assert ["220"] * 4 == [one.answer()[:3] for one in clients]

        late = Client(smtp.port, source_address="127.0.0.4").rest()

        assert late == ["421 4.7.0 Too many connections, come again later"]
        assert [one.ask("NOOP")[:3] for one in clients] == ["250"] * 4


def test_who_brings_nothing_loses_the_place_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where every place is taken by another address, whoever has brought no mail for half a
    minute makes room, the longest first; who brought one lately stays.
    """
    with _house(max_connections=3) as smtp, ExitStack() as stack:
        first, second, third = (
            stack.enter_context(Client(smtp.port, source_address=f"127.0.0.{number}"))
            for number in (2, 3, 4)
        )
        for one in (first, second, third):
            one.greet("EHLO x")
        first.deliver()
        monkeypatch.setattr("tlsrpt_mailer.sources.admission.PATIENCE", 0.0)

        honest = Client(smtp.port, source_address="127.0.0.5").greet("EHLO x")

        assert honest.deliver()[0].startswith("250")
        assert second.rest() == ["421 4.7.0 Others wait, come again later"]
        assert [one.ask("NOOP")[:3] for one in (first, third)] == ["250"] * 2


def test_a_mail_that_is_being_stored_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the answer to a mail gets it, however full it is."""
    monkeypatch.setattr("tlsrpt_mailer.sources.admission.PATIENCE", 0.0)
    with _house(max_connections=1) as smtp:
        smtp.store.is_open.clear()
        sender = Client(smtp.port, source_address="127.0.0.2").greet("EHLO x")
        sender.begin(RECIPIENT)
        sender.data(b"Subject: x\r\n")
        until(lambda: smtp.store.batches, "the mail is being stored")

        assert Client(smtp.port, source_address="127.0.0.3").answer().startswith("421")
        smtp.store.is_open.set()
        assert sender.answer().startswith("250")


def test_a_flood_is_one_line_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    """Ten thousand refused connections do not fill the journal; what they were is said once."""
    with _house(max_connections_per_peer=1) as smtp, ExitStack() as stack:
        for one in _strangers(smtp, 60, "127.0.0.2"):
            stack.enter_context(one).answer()

    assert capfd.readouterr().out.count("connection.refused") == 1


def test_little_is_done_for_who_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood does not keep the listener busy: what serves a connection is not made for it."""
    made = []
    begin = Connection.__init__
    monkeypatch.setattr(
        Connection, "__init__", lambda *given, **more: made.append(1) or begin(*given, **more)
    )
    with _house(max_connections_per_peer=2) as smtp, ExitStack() as stack:
        answers = [stack.enter_context(one).answer() for one in _strangers(smtp, 30, "127.0.0.2")]

    assert [answer[:3] for answer in answers] == ["220"] * 2 + ["421"] * 28
    assert len(made) == 2


def test_who_hangs_up_before_the_answer_frees_no_memory() -> None:
    """
    Great mails whose senders are gone while they wait to be stored still count as memory: a
    thousand of them do not wait at once, and all is free when their turn has come.
    """
    raw = b"x" * 900_000 + b"\r\n"
    with _house(max_size=MAX_SIZE) as smtp:
        smtp.store.is_open.clear()
        reception = until(lambda: smtp.source.reception, "it runs")
        for _ in range(6):
            _send_and_leave(smtp, raw)

        assert reception.memory.free < len(raw)
        smtp.store.is_open.set()
        until(lambda: reception.memory.free == 2 * MAX_SIZE, "all memory is free again")


def test_who_hangs_up_before_the_answer_makes_nobody_wait() -> None:
    """
    Mails whose senders are gone before their turn has come are not stored: those were told
    nothing, and come again. So they do not stand in line before who waits.
    """
    with _house() as smtp:
        smtp.store.is_open.clear()
        for number in range(20):
            _send_and_leave(smtp, b"Subject: %d\r\n" % number)
        honest = Client(smtp.port).greet("EHLO x")
        honest.begin(RECIPIENT)
        honest.data(b"Subject: honest\r\n")
        smtp.store.is_open.set()

        assert honest.answer().startswith("250")
        assert [mail.raw for mail in smtp.store.mails] == [
            b"Subject: 0\r\n",
            b"Subject: honest\r\n",
        ]


def _send_and_leave(running: Running, raw: bytes) -> None:
    """A mail whose sender does not wait for the answer; returns when he is gone."""
    reception = until(lambda: running.source.reception, "it runs")
    with Client(running.port).greet("EHLO x") as client:
        client.begin(RECIPIENT)
        client.data(raw)
        until(lambda: reception.waiting or _has_answer(client), "it came, or was refused")
        until(lambda: running.store.batches, "the first is being stored")
    until(lambda: reception.connections == 0, "the peer is gone")


def _has_answer(client: Client) -> bool:
    return bool(select.select([client.sock], [], [], 0)[0])


def test_connections_come_and_go_without_end(target: Victim) -> None:
    """Four thousand connections that say nothing, from many addresses, as fast as they can."""
    with target.bounded():
        end = threading.Event()
        floods = [threading.Thread(target=_come_and_go, args=(target, end, n)) for n in range(4)]
        for flood in floods:
            flood.start()
        target.honest()
        end.set()
        for flood in floods:
            flood.join()
        target.honest()


def _come_and_go(target: Victim, end: threading.Event, number: int) -> None:
    for count in range(1000):
        if end.is_set():
            break
        with contextlib.suppress(OSError):
            target.connect(f"127.2.{number}.{count % 250 + 1}").sock.close()


def test_answers_that_nobody_reads(target: Victim) -> None:
    """Peers that ask and do not read what is answered are cut off, and cost no memory."""
    with target.bounded(), crowd(CONNECTIONS // 2, target.greeted) as clients:
        for client in clients:
            client.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                client.flood(b"VRFY x\r\n" * 1000, 10_000)
        target.honest()


def test_commands_without_end(target: Victim) -> None:
    """Thousands of commands, recipients, unknown words: each kind is ended by a count."""
    lines = [
        b"NOOP\r\n",
        b"EHLO x\r\nLHLO x\r\n",
        b"MAIL FROM:<>\r\nRSET\r\n",
        b"MAIL\r\n",
        b"EVIL\r\n",
        b"\x00\xff\x1b[2J\r\n",
        b"N" * 70_000 + b"\r\n",
    ]
    with target.bounded(), ExitStack() as stack:
        clients = [stack.enter_context(target.greeted()) for _ in lines]
        senders = [
            threading.Thread(target=_flood, args=(client, line * (4_000_000 // len(line)), []))
            for client, line in zip(clients, lines, strict=True)
        ]
        for sender in senders:
            sender.start()
        target.honest()
        answers = [len(client.rest()) for client in clients]
        for sender in senders:
            sender.join()

    # max_commands, and the last word.
    assert max(answers) <= 101 * 7


def _flood(client: Client, data: bytes, cut_off: list[Client]) -> None:
    try:
        client.sock.sendall(data)
    except OSError:
        cut_off.append(client)


def test_ten_thousand_recipients(target: Victim) -> None:
    """Each is answered until the commands are at their end; none is remembered after that."""
    with target.bounded(), target.greeted() as client:
        assert client.ask("MAIL FROM:<>").startswith("250")
        answers = []
        for number in range(10_000):
            answers.append(client.ask(f"RCPT TO:<tlsrpt+{number}@example.com>"))
            if not answers[-1].startswith("250"):
                break
        target.honest()

    assert len(answers) <= 101
    assert answers[-1] == "421 4.7.0 Too many commands without a mail, goodbye"


@pytest.mark.parametrize("announced", ["", " SIZE=10", f" SIZE={MAX_SIZE}"])
def test_far_more_data_than_allowed(target: Victim, announced: str) -> None:
    """
    Mails of four times the size, unannounced or announced smaller: 552 at their end, at the
    cost of no more memory than for mails that may be; and the connection goes on.
    """
    with target.bounded(), crowd(8, target.greeted) as clients:
        for client in clients:
            assert client.ask(f"MAIL FROM:<a@b.example>{announced}").startswith("250")
            assert client.ask(f"RCPT TO:<{RECIPIENT}>").startswith("250")
            assert client.ask("DATA").startswith("354")
        for _ in range(4):
            for client in clients:
                client.send(MEGABYTE)
        target.honest()
        for client in clients:
            client.send(b"\r\n.\r\n")

        assert {client.answer()[:9] for client in clients} == {"552 5.3.4"}
        assert {client.ask("NOOP")[:3] for client in clients} == {"250"}
        assert target.site.count("kept") == 0


def test_a_mail_without_end_and_a_line_without_end(target: Victim) -> None:
    """Data that never ends is cut off at eight times the size; a command line at the time-out."""
    with target.bounded(), target.in_data() as mail, target.greeted() as line:
        cut_off: list[Client] = []
        floods = [
            threading.Thread(target=_flood, args=(one, MEGABYTE * 20, cut_off))
            for one in (mail, line)
        ]
        for flood in floods:
            flood.start()
        target.honest()
        floods[0].join()
        line.rest()
        mail.rest()
        line.sock.close()
        floods[1].join()

        assert mail in cut_off
