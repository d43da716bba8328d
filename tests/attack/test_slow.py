"""Peers that are slow on purpose: none of them keeps a place, or a report out."""

from collections.abc import Callable

import pytest

from tests.attack.victim import CONNECTIONS, MAX_SIZE, Dripping, Victim, crowd
from tests.e2e.waiting import until
from tests.sources.listeners import MAIL, Client, listening

TOO_SLOW = "421 4.4.2 Too slow, goodbye"


@pytest.mark.parametrize("where", ["hello", "data", "handshake"])
def test_a_byte_now_and_then_keeps_no_connection(target: Victim, where: str) -> None:
    """
    A peer that sends a byte now and then, in its greeting, in a mail or in the TLS
    handshake, is sent away after the time-out, and an honest sender gets in meanwhile.
    """
    with target.bounded():
        client = {"hello": target.connect, "data": target.in_data, "handshake": target.in_tls}[
            where
        ]()
        if where == "hello":
            assert client.answer().startswith("220")
        begin = b"\x16\x03\x01\x02\x00\x01" if where == "handshake" else b""
        with client, Dripping(client, begin + b"x" * 10_000):
            target.honest()

            assert client.rest() == ([] if where == "handshake" else [TOO_SLOW])


def test_all_places_taken_by_slow_peers(target: Victim) -> None:
    """Connections that take all places and say nothing are gone after the time-out."""
    with target.bounded(), crowd(CONNECTIONS, target.connect) as clients:
        assert ["220"] * CONNECTIONS == [client.answer()[:3] for client in clients]
        target.honest()

        assert [TOO_SLOW] in [client.rest() for client in clients]


def test_half_a_mail_in_every_place(target: Victim) -> None:
    """
    Great mails that begin and never end, in all places but one, hold the memory for mails:
    they lose it to a report that comes at the same time.
    """
    with target.bounded(), crowd(CONNECTIONS - 1, target.in_data) as clients:
        for client in clients:
            client.send(b"x" * (MAX_SIZE * 9 // 10))

        assert target.honest() == 0


def test_memory_that_is_held_to_the_last_byte_is_given_to_who_needs_less() -> None:
    """Unfinished mails that fit each other's gaps until nothing is left keep no report out."""
    with listening("smtp", max_size=MAX_SIZE) as smtp, crowd(4, _at(smtp.port)) as clients:
        reception = until(lambda: smtp.source.reception, "it runs")
        for client, size in zip(clients, (1_000_000, 1_000_000, 90_000, 7_100), strict=True):
            client.begin("tlsrpt@example.com")
            client.ask("DATA")
            client.send(b"x" * size)
        until(lambda: reception.memory.free < 100, "all memory for mails is held")

        assert Client(smtp.port).greet("EHLO x").deliver(b"y" * 500 + b"\r\n") == [
            "250 2.0.0 Report stored"
        ]
        for client in clients:
            client.send(b"\r\n.\r\n")
        assert sorted(client.answer()[:3] for client in clients) == ["250", "250", "250", "452"]
        assert reception.memory.free == 2 * MAX_SIZE


def _at(port: int) -> Callable[[str], Client]:
    return lambda address: Client(port, source_address=address).greet("EHLO x")


def test_small_talk_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that asks something now and then, always in time, is sent away in the end."""
    monkeypatch.setattr("tlsrpt_mailer.sources.smtp_protocol.SESSION", 2)
    with listening(timeout=1, max_commands=10**9) as lmtp, Client(lmtp.port).greet() as client:
        answers = []
        with Dripping(client, b"NOOP\r\n", 0.02):
            until(lambda: answers.append(client.line()) or answers[-1][:3] != "250", "an end", 8)

        assert answers.pop() == TOO_SLOW


def test_a_mail_that_comes_just_fast_enough_ends_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail at a little over 1 KiB/s does not go on for hours: there is a time for all of it."""
    monkeypatch.setattr("tlsrpt_mailer.sources.smtp_protocol.SESSION", 2)
    with listening(timeout=1) as lmtp, Client(lmtp.port).greet() as client:
        client.begin("tlsrpt@example.com")
        client.ask("DATA")
        ended = []
        client.sock.settimeout(0.02)
        until(lambda: ended or _sent_or_ended(client, ended), "the peer is sent away", 8)

        assert ended == [TOO_SLOW.encode() + b"\r\n"]
        assert lmtp.store.mails == []


def _sent_or_ended(client: Client, ended: list[bytes]) -> bool:
    try:
        client.send(b"x" * 128)
        ended.append(client.sock.recv(100))
    except TimeoutError:
        return False
    return True


def test_time_begins_anew_with_each_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that brings mail may stay for as long as it does."""
    monkeypatch.setattr("tlsrpt_mailer.sources.smtp_protocol.SESSION", 1)
    with listening(timeout=1) as lmtp, Client(lmtp.port).greet() as client:
        before = until(lambda: lmtp.source.reception, "it runs").connections
        with Dripping(Client(lmtp.port).greet(), b"NOOP\r\n", 0.02) as other:
            while other.is_sending:
                assert client.deliver(MAIL)[0].startswith("250")

        assert before == 1
        assert client.deliver(MAIL)[0].startswith("250")
