"""What a listener does about peers that want too much, or never come to an end."""

import contextlib
import socket

import pytest

from tests.e2e.waiting import until
from tests.sources.listeners import Client, listening


def test_twenty_connections_from_this_machine():
    """Postfix opens twenty connections at once; the limit a peer holds for strangers."""
    with listening(max_connections_per_peer=2) as lmtp:
        clients = [Client(lmtp.port).greet() for _ in range(20)]

        assert [client.deliver()[0][:3] for client in clients] == ["250"] * 20


def test_a_stranger_gets_so_many_connections_and_no_more():
    """One host cannot take all connections; when it lets go of one, it may come back."""
    with listening(
        is_local=lambda address: address == "127.0.0.1", max_connections_per_peer=2
    ) as lmtp:
        first, second = (Client(lmtp.port, source_address="127.0.0.2").greet() for _ in range(2))
        third = Client(lmtp.port, source_address="127.0.0.2")

        assert third.rest() == [
            "421 4.7.0 Too many connections from your address, come again later"
        ]
        assert Client(lmtp.port, source_address="127.0.0.3").answer().startswith("220")
        assert [Client(lmtp.port).answer()[:3] for _ in range(3)] == ["220"] * 3
        assert first.ask("QUIT").startswith("221")
        until(lambda: _is_welcome(lmtp.port, "127.0.0.2"), "the place is free again")
        assert second.ask("NOOP").startswith("250")


def _is_welcome(port: int, address: str) -> bool:
    with Client(port, source_address=address) as client:
        return client.answer().startswith("220")


def test_all_connections_together_are_limited():
    """Past the limit a peer is told to come again, and the others go on."""
    with listening(max_connections=3) as lmtp:
        clients = [Client(lmtp.port).greet() for _ in range(3)]

        assert Client(lmtp.port).rest() == ["421 4.7.0 Too many connections, come again later"]
        assert [client.deliver()[0][:3] for client in clients] == ["250"] * 3


def test_commands_without_a_mail_come_to_an_end():
    """A peer that only chats is sent away; each mail that is taken starts the count anew."""
    with listening(max_commands=10) as lmtp:
        client = Client(lmtp.port).greet()
        client.deliver()

        assert [client.ask("NOOP")[:3] for _ in range(10)] == ["250"] * 10
        client.send(b"NOOP\r\n")
        assert client.rest() == ["421 4.7.0 Too many commands without a mail, goodbye"]


@pytest.mark.parametrize(
    "line", [b"", b"RCPT TO:<tlsrpt@example.com>", b"\xff", b"NOOP " + b"x" * 5000]
)
def test_errors_come_to_an_end(line):
    """Whatever is wrong with its commands, a peer that gets nothing right is sent away."""
    with listening(max_errors=5) as lmtp:
        client = Client(lmtp.port).greet()
        client.send((line + b"\r\n") * 6)
        answers = client.rest()

        assert [answer[:1] for answer in answers] == ["5"] * 6 + ["4"]
        assert answers[-1] == "421 4.7.0 Too many errors, goodbye"


def test_unknown_commands_come_to_an_end():
    """A scanner is sent away after five lines."""
    with listening("smtp") as smtp:
        client = Client(smtp.port)
        client.send(b"SSH-2.0-x\r\n" * 5)

        assert [answer[:3] for answer in client.rest()] == ["220", *["500"] * 4, "502"]


def test_too_many_refused_recipients_are_no_reason_to_break_the_protocol():
    """A mail that is too large for a hundred recipients gets its hundred answers over LMTP."""
    with listening(max_errors=3, max_size=65_536, max_commands=200) as lmtp:
        client = Client(lmtp.port).greet()
        client.begin(*(f"tlsrpt+{number}@example.com" for number in range(100)))
        client.data(b"x" * 200_000 + b"\r\n")

        assert [client.answer()[:3] for _ in range(100)] == ["552"] * 100
        assert client.ask("NOOP").startswith("250")


def test_a_peer_that_says_nothing_is_sent_away():
    """An idle connection ends after the time-out, with a word why."""
    with listening(timeout=1) as lmtp:
        client = Client(lmtp.port).greet()

        assert client.rest() == ["421 4.4.2 Too slow, goodbye"]


def test_a_peer_that_sends_too_slowly_is_sent_away():
    """A byte now and then keeps no connection open: data has to come at 1 KiB/s at least."""
    with listening(timeout=1) as lmtp:
        client = Client(lmtp.port).greet()
        client.begin("tlsrpt@example.com")
        client.ask("DATA")
        client.sock.settimeout(0.05)
        said = b""
        for _ in range(200):
            try:
                client.send(b"x")
                said += client.sock.recv(100)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if said:
                break

        assert said == b"421 4.4.2 Too slow, goodbye\r\n"
        assert lmtp.store.mails == []


def test_a_peer_that_does_not_read_is_cut_off(monkeypatch):
    """Answers that nobody takes hold no memory for ever."""
    monkeypatch.setattr("tlsrpt_mailer.sources.smtp_protocol.LINGER", 0.05)
    with listening(timeout=1, max_commands=10**9) as lmtp:
        client = Client(lmtp.port).greet()
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.flood(b"VRFY x\r\n" * 1000, 100_000)
        reception = until(lambda: lmtp.source.reception, "it runs")

        until(lambda: reception.connections == 0, "the connection is gone")


def test_a_line_without_end_is_not_collected():
    """A command line that never ends is thrown away as it comes, until the time-out."""
    with listening(timeout=1) as lmtp:
        client = Client(lmtp.port).greet()
        client.sock.settimeout(10)
        with contextlib.suppress(ConnectionError):
            client.flood(b"x" * 65_536, 100_000)

        assert Client(lmtp.port).greet().deliver()[0].startswith("250")


def test_ipv6_peers_are_counted_by_network():
    """A host with a /64 to itself is one peer, not 2^64."""
    with listening(listen="[::1]:0", is_local=lambda _: False, max_connections_per_peer=1) as lmtp:
        first = socket.create_connection(("::1", lmtp.port))
        assert first.recv(100).startswith(b"220")
        second = socket.create_connection(("::1", lmtp.port))

        assert second.recv(100).startswith(b"421")
