"""The dialogue over LMTP and SMTP: who is answered what, and when."""

import socket
import threading
import time

import pytest

from tests.e2e.waiting import until
from tests.sources.listeners import MAIL, NOW, Client, Running, Store, listening


def test_a_mail_is_answered_only_after_the_commit():
    """Nothing is said to the sender while the mail is being stored; then it is 250."""
    store = Store()
    store.is_open.clear()
    with listening(store=store) as lmtp, Client(lmtp.port).greet() as client:
        client.begin("tlsrpt@example.com")
        client.data(MAIL)
        until(lambda: store.batches, "the mail is being stored")
        client.sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(10)
        store.is_open.set()

        assert client.answer() == "250 2.0.0 <tlsrpt@example.com> Report stored"


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("stored", "250"),
        ("superseded", "250"),
        ("duplicate", "250"),
        ("held", "250"),
        ("quarantined", "250"),
        ("ignored", "250"),
        ("failed", "451"),
    ],
)
@pytest.mark.parametrize("kind", ["lmtp", "smtp"])
def test_every_outcome_but_trouble_of_ours_is_taken(kind, outcome, code):
    """Only trouble of ours makes the sender keep the mail; nothing ever bounces."""
    with listening(kind, Store(outcome)) as listener:
        client = Client(listener.port).greet("LHLO x" if kind == "lmtp" else "EHLO x")
        answer = client.deliver()[0]

        assert answer.startswith(code)


def test_lmtp_says_what_went_wrong_and_smtp_does_not():
    """The own MTA's log names the reason of a 451; strangers are not told about our disk."""
    with listening("lmtp", Store("failed", "disk full")) as lmtp:
        assert "disk full" in Client(lmtp.port).greet().deliver()[0]
    with listening("smtp", Store("failed", "disk full")) as smtp:
        assert "disk full" not in Client(smtp.port).greet("EHLO x").deliver()[0]


def test_what_is_delivered_is_what_was_sent():
    """The bytes, the time, the source's name, and that a letter has to be kept."""
    raw = b"Subject: \xe4\r\n\r\n.dot\r\n..\r\nbare\nlf\rcr\r\n\x00\xff" + b"x" * 100_000 + b"\r\n"
    with listening(forward_ignored_to="me@example.org") as lmtp:
        Client(lmtp.port).greet().deliver(raw)

        (mail,) = lmtp.store.mails
        assert mail.raw == raw
        assert mail.taken_at == NOW
        assert mail.source == "lmtp:127.0.0.1:0"
        assert mail.keep_ignored
        assert mail.forward_ignored_to == "me@example.org"
        assert mail.forward_to is None


def test_two_recipients_are_one_delivery_and_two_answers():
    """LMTP answers once for each accepted recipient (RFC 2033, 4.2), and the mail comes once."""
    with listening() as lmtp:
        client = Client(lmtp.port).greet()
        answers = client.deliver(MAIL, "tlsrpt@example.com", "tlsrpt+b@example.com")

        assert answers == [
            "250 2.0.0 <tlsrpt@example.com> Report stored",
            "250 2.0.0 <tlsrpt+b@example.com> Report stored",
        ]
        assert client.ask("NOOP") == "250 2.0.0 OK"
        assert len(lmtp.store.mails) == 1


def test_lmtp_answers_once_for_each_recipient_of_a_mail_that_is_deferred():
    """A 451 is said for each recipient too, else the client waits for ever."""
    with listening(store=Store("failed")) as lmtp:
        client = Client(lmtp.port).greet()
        answers = client.deliver(MAIL, "tlsrpt@example.com", "tlsrpt+b@example.com")

        assert [answer[:3] for answer in answers] == ["451", "451"]
        assert client.ask("NOOP").startswith("250")


def test_smtp_answers_once_for_all_recipients():
    """SMTP knows one answer for a mail, however many recipients it has."""
    with listening("smtp") as smtp:
        client = Client(smtp.port).greet("EHLO x")
        client.begin("tlsrpt@example.com", "tlsrpt+b@example.com")
        client.data(MAIL)

        assert client.answer() == "250 2.0.0 Report stored"
        assert client.ask("NOOP") == "250 2.0.0 OK"


@pytest.mark.parametrize("kind", ["lmtp", "smtp"])
@pytest.mark.parametrize("ours", ["tlsrpt@example.com", "@example.com"])
def test_a_mail_carries_its_envelope(kind, ours):
    """
    An answer to an alert comes for ``tlsrpt+ack-TOKEN``, and a bounce by its null sender
    alone: neither need stand in the mail.
    """
    answers = "tlsrpt+ack-abcdefghijklmnopqrstuvwxy2@example.com"
    with listening(kind, recipients=(ours,)) as listener:
        client = Client(listener.port).greet("LHLO test" if kind == "lmtp" else "EHLO test")
        for sender in ("", "ana@example.com"):
            assert ["250 2.1.5 Recipient ok"] == client.begin(answers, sender=sender)
            client.data(MAIL)
            client.answer()

        assert ["<>", "ana@example.com"] == [mail.sender for mail in listener.store.mails]
        assert [(answers,)] * 2 == [mail.recipients for mail in listener.store.mails]


@pytest.mark.parametrize(
    "recipient",
    [
        "tlsrpt@example.com",
        "TLSRPT@Example.COM",
        "tlsrpt+google@example.com",
        '"tlsrpt"@example.com',
        "@relay.example,@other.example:tlsrpt@example.com",
        "anyone@whole.example",
        "anyone@star.example",
        "x@xn--bcher-kva.example",
        "x@bücher.example",
    ],
)
def test_our_recipients_are_taken(recipient):
    """An address with any detail, a whole domain, in any case, in either form of an IDN."""
    ours = ("tlsrpt@example.com", "@whole.example", "*@star.example", "@bücher.example")
    with listening(recipients=ours) as lmtp:
        client = Client(lmtp.port).greet()

        assert client.begin(recipient) == ["250 2.1.5 Recipient ok"]


@pytest.mark.parametrize("kind", ["lmtp", "smtp"])
@pytest.mark.parametrize(
    "recipient",
    ["other@example.com", "tlsrpt@example.org", "tlsrpt", "", "x@sub.whole.example", "a b@c"],
)
def test_a_strangers_address_is_deferred_by_lmtp_and_refused_by_smtp(kind, recipient):
    """A transport map that routes too much delays mail; a stranger on port 25 gets a plain no."""
    with listening(kind, recipients=("tlsrpt@example.com", "@whole.example")) as listener:
        client = Client(listener.port).greet("LHLO x" if kind == "lmtp" else "EHLO x")

        assert client.begin(recipient)[0][:9] == {"lmtp": "450 4.1.1", "smtp": "550 5.1.1"}[kind]
        assert client.ask("DATA").startswith("503 5.5.1")


@pytest.mark.parametrize(
    "sender",
    [
        "<>",
        "<verp+long-x=y.z=3D@google.com>",
        "<bounce+" + "x" * 900 + "@example.org>",
        "<no-domain>",
        "<two..dots@example.org>",
        '<"quoted > angle"@example.org>',
        "<ä@example.org>",
        "<a@[IPv6:2001:db8::1]>",
        "< blank@example.org >",
        "bare@example.org",
        " <after-blank@example.org>",
    ],
)
def test_every_sender_is_taken(sender):
    """A report's envelope sender says nothing, so none is refused; the empty one least of all."""
    with listening("smtp") as smtp:
        client = Client(smtp.port).greet("EHLO x")

        assert client.ask(f"MAIL FROM:{sender} SIZE=100 BODY=8BITMIME").startswith("250")
        assert client.ask("RCPT TO:<tlsrpt@example.com>").startswith("250")


def test_what_is_offered():
    """SIZE, 8BITMIME, SMTPUTF8, PIPELINING and enhanced codes; no AUTH, no STARTTLS without key."""
    with listening(max_size=1_000_000, hostname="mx.example.com") as lmtp:
        client = Client(lmtp.port)

        assert client.answer() == "220 mx.example.com LMTP tlsrpt-mailer"
        assert client.ask("LHLO test").split("\n") == [
            "250-mx.example.com",
            "250-PIPELINING",
            "250-SIZE 1000000",
            "250-8BITMIME",
            "250-SMTPUTF8",
            "250 ENHANCEDSTATUSCODES",
        ]
        assert client.ask("AUTH PLAIN AGEAYg==").startswith("500")
        assert client.ask("STARTTLS").startswith("454")


def test_smtp_greets_old_clients_too():
    """HELO is enough on SMTP; LMTP wants LHLO and knows no EHLO (RFC 2033, 4.1)."""
    with listening("smtp") as smtp:
        client = Client(smtp.port)
        client.answer()

        assert client.ask("MAIL FROM:<>").startswith("503")
        assert client.ask("HELO old").startswith("250 ")
        assert client.deliver()[0].startswith("250")
    with listening("lmtp") as lmtp:
        client = Client(lmtp.port)
        client.answer()

        assert client.ask("EHLO x").startswith("500")
        assert client.ask("HELO x").startswith("500")
        assert client.ask("DATA").startswith("503")
        assert client.ask("LHLO").startswith("501")


def test_a_mail_that_says_it_is_too_large_is_refused_at_once():
    """SIZE in MAIL spares both sides the transfer (RFC 1870)."""
    with listening(max_size=100_000) as lmtp:
        client = Client(lmtp.port).greet()

        assert client.ask("MAIL FROM:<> SIZE=100001").startswith("552")
        assert client.ask("MAIL FROM:<> SIZE=100000").startswith("250")


@pytest.mark.parametrize("kind", ["lmtp", "smtp"])
def test_a_mail_that_turns_out_too_large_is_refused_after_its_end(kind):
    """552 for each recipient, nothing is delivered, and the connection goes on."""
    with listening(kind, max_size=100_000) as listener:
        client = Client(listener.port).greet("LHLO x" if kind == "lmtp" else "EHLO x")
        client.begin("tlsrpt@example.com", "tlsrpt+b@example.com")
        client.data(b"x" * 300_000 + b"\r\n")
        answers = [client.answer() for _ in range(2 if kind == "lmtp" else 1)]

        assert [answer[:9] for answer in answers] == ["552 5.3.4"] * len(answers)
        assert listener.store.mails == []
        assert client.deliver(b"y" * 99_998 + b"\r\n")[0].startswith("250")


def test_the_size_limit_counts_no_stuffed_dots():
    """A mail of exactly the limit is taken, though it is larger on the wire."""
    raw = b".\r\n" * 40_000
    with listening(max_size=len(raw)) as lmtp:
        assert Client(lmtp.port).greet().deliver(raw)[0].startswith("250")
        assert [mail.raw for mail in lmtp.store.mails] == [raw]


def test_a_mail_without_end_is_cut_off():
    """Past eight times the limit the peer is not listened to any more."""
    with listening(max_size=65_536) as lmtp, Client(lmtp.port).greet() as client:
        client.begin("tlsrpt@example.com")
        client.ask("DATA")
        with pytest.raises(ConnectionError):
            client.flood(b"x" * 65_536, 10_000)

        assert lmtp.store.mails == []


@pytest.mark.parametrize(
    "trick",
    [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n.\r\r\n", b"\n.\r"],
)
def test_only_cr_lf_dot_cr_lf_ends_a_mail(trick):
    """A relay and we agree where a mail ends, so nothing can be smuggled in as a second one."""
    smuggled = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<tlsrpt@example.com>\r\nDATA\r\n"
    with listening("smtp") as smtp:
        client = Client(smtp.port).greet("EHLO x")
        client.begin("tlsrpt@example.com")
        client.ask("DATA")
        client.send(b"Subject: x\r\n\r\nhello" + trick + smuggled + b"\r\n.\r\n")

        assert client.answer().startswith("250")
        assert client.ask("NOOP").startswith("250")
        (mail,) = smtp.store.mails
        assert mail.raw.endswith(smuggled + b"\r\n")


def test_everything_in_one_packet():
    """Commands may come without waiting (RFC 2920), also behind the end of a mail."""
    transaction = b"MAIL FROM:<>\r\nRCPT TO:<tlsrpt@example.com>\r\nDATA\r\n%s.\r\n"
    with listening() as lmtp:
        client = Client(lmtp.port)
        client.send(b"LHLO x\r\n" + transaction % b"" + transaction % MAIL + b"QUIT\r\n")
        codes = [line[:4] for line in client.rest()]

        taken = ["250 ", "250 ", "354 ", "250 "]
        assert codes == ["220 ", *["250-"] * 5, "250 ", *taken, *taken, "221 "]
        assert [mail.raw for mail in lmtp.store.mails] == [b"", MAIL]


def test_a_connection_carries_many_mails():
    """Postfix keeps an LMTP connection for minutes; no limit on commands stands in its way."""
    with listening(max_commands=10) as lmtp:
        client = Client(lmtp.port).greet()
        for number in range(20):
            raw = b"Subject: %d\r\n\r\n" % number
            assert client.deliver(raw)[0].startswith("250")

        assert len(lmtp.store.mails) == 20


def test_small_answers_do_not_wait_for_acknowledgements():
    """Each mail over a kept connection takes far less than the 40 ms of a delayed ACK."""
    with listening() as lmtp:
        client = Client(lmtp.port).greet()
        start = time.monotonic()
        for number in range(50):
            client.send(b"MAIL FROM:<>\r\nRCPT TO:<tlsrpt@example.com>\r\nDATA\r\n")
            assert [client.answer()[:3] for _ in range(3)] == ["250", "250", "354"]
            client.send(b"Subject: %d\r\n.\r\n" % number)
            assert client.answer().startswith("250")

        assert time.monotonic() - start < 50 * 0.030


def test_rset_forgets_the_mail_that_was_begun():
    """A client that changes its mind does not send to the recipients it named before."""
    with listening() as lmtp:
        client = Client(lmtp.port).greet()
        client.begin("tlsrpt@example.com")

        assert client.ask("RSET").startswith("250")
        assert client.ask("DATA").startswith("503")


def test_a_client_that_goes_away_in_the_middle_leaves_nothing_behind():
    """Half a mail is no mail: its sender will come again."""
    with listening() as lmtp:
        client = Client(lmtp.port).greet()
        client.begin("tlsrpt@example.com")
        client.ask("DATA")
        client.send(b"Subject: half\r\n")
        client.sock.close()
        Client(lmtp.port).greet().deliver()

        assert [mail.raw for mail in lmtp.store.mails] == [MAIL]


def test_a_deliver_that_raises_defers_the_mail():
    """Even a bug in the core bounces nothing and ends nothing."""

    class Broken(Store):
        def deliver(self, mails):
            super().deliver(mails)
            raise RuntimeError("a bug")

    with listening(store=Broken()) as lmtp:
        client = Client(lmtp.port).greet()

        assert client.deliver()[0].startswith("451")
        assert client.deliver()[0].startswith("451")


@pytest.mark.parametrize("recipient", ["postmaster", "Postmaster@example.com"])
def test_mail_for_the_postmaster_is_handed_on(recipient):
    """A machine that takes mail has a postmaster (RFC 5321, 4.5.1), if one is configured."""
    with listening("smtp", postmaster_to="me@example.org") as smtp:
        client = Client(smtp.port).greet("EHLO x")
        client.deliver(MAIL, recipient)

        assert [mail.forward_to for mail in smtp.store.mails] == ["me@example.org"]
    with listening("smtp") as smtp:
        assert Client(smtp.port).greet("EHLO x").begin(recipient)[0].startswith("550")


def test_reports_and_the_postmaster_may_share_an_address():
    """Where reports go to postmaster itself, its mail is read, not handed on."""
    ours = ("postmaster@example.com", "@whole.example")
    with listening("smtp", recipients=ours, postmaster_to="me@example.org") as smtp:
        client = Client(smtp.port).greet("EHLO x")
        for recipient in ("postmaster@example.com", "postmaster@whole.example", "a@whole.example"):
            client.deliver(MAIL, recipient)

        assert [mail.forward_to for mail in smtp.store.mails] == [None, "me@example.org", None]


def test_mails_that_arrive_during_a_commit_are_committed_together():
    """Twenty connections cost two commits, not twenty, and each gets its own answer."""
    store = Store()
    store.is_open.clear()
    with listening(store=store) as lmtp:
        clients = [Client(lmtp.port).greet() for _ in range(20)]
        for number, client in enumerate(clients):
            client.begin("tlsrpt@example.com")
            client.data(b"Subject: %d\r\n\r\n" % number)
            if number == 0:
                until(lambda: store.batches, "the first mail is being stored")
        until(lambda: _all_waiting(lmtp, 20), "all mails wait for their receipt")
        store.is_open.set()
        answers = [client.answer() for client in clients]

        assert [len(batch) for batch in store.batches] == [1, 19]
        assert {answer[:3] for answer in answers} == {"250"}


def _all_waiting(running: Running, count: int) -> bool:
    reception = running.source.reception
    return reception is not None and reception.waiting == count


def test_large_mails_are_not_all_put_into_one_batch():
    """A batch ends at 8 MiB, so that one transaction stays small."""
    store = Store()
    store.is_open.clear()
    with listening(store=store) as lmtp:
        clients = [Client(lmtp.port).greet() for _ in range(4)]
        for client in clients:
            client.begin("tlsrpt@example.com")
            client.data(b"x" * 5_000_000 + b"\r\n")
            until(lambda: store.batches, "the first mail is being stored")
        until(lambda: _all_waiting(lmtp, 4), "all mails wait for their receipt")
        store.is_open.set()

        assert [client.answer()[:3] for client in clients] == ["250"] * 4
        assert [len(batch) for batch in store.batches] == [1, 1, 1, 1]


def test_memory_for_mails_is_limited():
    """Mails that would take too much memory together are deferred, not refused."""
    store = Store()
    store.is_open.clear()
    raw = b"x" * 999_000 + b"\r\n"
    with listening(store=store, max_size=1_000_000) as lmtp:
        held = [Client(lmtp.port).greet() for _ in range(2)]
        for client in held:
            client.begin("tlsrpt@example.com")
            client.data(raw)
        until(lambda: _all_waiting(lmtp, 2), "two mails wait for their receipt")
        late = Client(lmtp.port).greet()
        late.begin("tlsrpt@example.com", "tlsrpt+b@example.com")
        late.data(raw)

        assert [late.answer()[:9] for _ in range(2)] == ["452 4.3.1"] * 2
        store.is_open.set()
        assert [client.answer()[:3] for client in held] == ["250", "250"]
        assert late.deliver(raw)[0].startswith("250")


def test_a_receipt_that_does_not_come_defers_the_mail(monkeypatch):
    """A store that hangs makes the sender keep its mail, before its patience ends."""
    monkeypatch.setattr("tlsrpt_mailer.sources.reception.ANSWER_WITHIN", 0.05)
    store = Store()
    store.is_open.clear()
    with listening(store=store) as lmtp:
        assert "takes too long" in Client(lmtp.port).greet().deliver()[0]


def test_more_than_a_hundred_recipients_are_taken_in_portions():
    """The rest of the recipients come in a second mail (RFC 5321, 4.5.3.1.10)."""
    with listening(max_commands=200) as lmtp:
        client = Client(lmtp.port).greet()
        answers = client.begin(*(f"tlsrpt+{number}@example.com" for number in range(101)))

        assert [answer[:3] for answer in answers] == ["250"] * 100 + ["452"]


def test_a_source_tells_that_it_lives():
    """The watchdog hears of the loop and of the thread that delivers, together."""
    with listening() as lmtp:
        until(lambda: lmtp.health.beats, "a beat")

        assert lmtp.health.said[0] == (
            "fine",
            "127.0.0.1:0 listens; recipients: tlsrpt@example.com",
        )


def test_a_drain_takes_nothing_from_a_listener():
    """`once` asks every source for what waits; senders of a listener come by themselves."""
    with listening() as lmtp:
        lmtp.source.drain(lmtp.store.deliver, lmtp.health)

        assert lmtp.store.mails == []


@pytest.mark.parametrize("kind", ["lmtp", "smtp"])
def test_a_stop_takes_little_time_whatever_connections_do(kind):
    """Idle, in the middle of a mail, not reading: all are told 421 or cut, within 1.5 s."""
    with listening(kind, max_commands=10**9) as listener:
        greeting = "LHLO x" if kind == "lmtp" else "EHLO x"
        idle, begun, deaf, silent = (Client(listener.port) for _ in range(4))
        idle.greet(greeting)
        begun.greet(greeting).begin("tlsrpt@example.com")
        begun.ask("DATA")
        begun.send(b"Subject: x\r\n")
        deaf.greet(greeting)
        deaf.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            deaf.flood(b"VRFY x\r\n" * 1000, 100_000)
        assert silent.answer().startswith("220")
        port = listener.port
        seconds = listener.stop()

        assert seconds < 1.5
        assert idle.rest() == ["421 4.3.2 Shutting down, come again later"]
        with pytest.raises(ConnectionRefusedError):
            Client(port)


def test_the_mail_that_is_being_stored_at_a_stop_is_still_answered():
    """What is committed at the end is also acknowledged, so that it does not come twice."""
    store = Store()
    store.is_open.clear()
    with listening(store=store) as lmtp:
        busy, late = Client(lmtp.port).greet(), Client(lmtp.port).greet()
        busy.begin("tlsrpt@example.com")
        busy.data(MAIL)
        until(lambda: store.batches, "the first mail is being stored")
        late.begin("tlsrpt@example.com")
        late.data(MAIL)
        until(lambda: _all_waiting(lmtp, 2), "the second mail waits")
        stopping = threading.Thread(target=lmtp.stop)
        stopping.start()
        until(lambda: not lmtp.source.is_listening, "it listens no more")
        store.is_open.set()

        assert busy.answer().startswith("250")
        assert "shutting down" in late.answer()
        stopping.join()


def test_a_thousand_mails_over_twenty_connections():
    """Nothing is lost, doubled or mixed up when Postfix opens its twenty connections."""
    with listening() as lmtp:
        clients = [Client(lmtp.port).greet() for _ in range(20)]
        per_client = 50
        for round_ in range(per_client):
            for index, client in enumerate(clients):
                number = round_ * len(clients) + index
                client.send(
                    b"MAIL FROM:<>\r\nRCPT TO:<tlsrpt@example.com>\r\nDATA\r\nS: %d\r\n.\r\n"
                    % number
                )
        answers = [client.answer() for client in clients for _ in range(4 * per_client)]

        assert sum(answer.endswith("Report stored") for answer in answers) == 1000
        assert {mail.raw for mail in lmtp.store.mails} == {b"S: %d\r\n" % n for n in range(1000)}


def test_the_loop_that_ends_by_itself_is_noticed():
    """A listener whose loop is gone does not go on as if it listened."""
    with listening() as lmtp:
        reception = until(lambda: lmtp.source.reception, "it runs")
        reception.finish()
        until(lambda: not lmtp.is_alive(), "run returned")

        assert isinstance(lmtp.error, RuntimeError)


def test_a_peer_that_resets_its_connection_is_no_error():
    """A connection that is torn down while an answer is on its way disturbs nobody."""
    with listening() as lmtp:
        client = Client(lmtp.port).greet()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.send(b"NOOP\r\n" * 1000)
        client.sock.close()

        assert Client(lmtp.port).greet().deliver()[0].startswith("250")


def test_answers_carry_no_control_characters_of_the_peer():
    """What a peer sends comes back, if at all, in plain ASCII on one line."""
    with listening() as lmtp:
        client = Client(lmtp.port).greet()
        client.send(b"FO\x1b[31mO\r250 x\xff\r\n")
        answer = client.answer()

        assert answer.startswith("500 5.5.2")
        assert answer.isascii()
        assert answer.isprintable()


def test_commands_longer_than_allowed_are_refused_and_the_next_one_heard():
    """A command line of 5,000 bytes is not a reason to hang up."""
    with listening() as lmtp:
        client = Client(lmtp.port).greet()

        assert client.ask("NOOP " + "x" * 5_000).startswith("500")
        assert client.ask("NOOP " + "x" * 200_000).startswith("500")
        assert client.ask("NOOP").startswith("250")


def test_pipelined_answers_come_in_order():
    """Each answer follows its command's, whatever is refused in between."""
    with listening() as lmtp:
        client = Client(lmtp.port).greet()
        client.send(b"NOOP\r\nFOO\r\nVRFY x\r\nMAIL FROM:<>\r\nRCPT TO:<no@example.org>\r\n")
        codes = [client.answer()[:3] for _ in range(5)]

        assert codes == ["250", "500", "252", "250", "450"]


def test_an_error_of_ours_defers_and_the_connection_goes_on(monkeypatch):
    """Whatever goes wrong in us is 451: aiosmtpd's own 500 would be a bounce."""

    def broken(*_):
        raise RuntimeError("a bug")

    with listening("smtp") as smtp:
        client = Client(smtp.port).greet("EHLO x")
        with monkeypatch.context() as patch:
            patch.setattr("tlsrpt_mailer.sources.reception.Reception.recipient", broken)
            answers = client.begin("tlsrpt@example.com")

        assert [answer[:9] for answer in answers] == ["451 4.3.0"]
        assert client.ask("RSET").startswith("250")
        assert client.deliver()[0].startswith("250")


def test_an_error_in_the_middle_of_data_ends_the_connection(monkeypatch):
    """Half-read data is never taken for commands; the sender comes again."""

    def broken(*_):
        raise MemoryError

    monkeypatch.setattr("tlsrpt_mailer.sources.data.Collector.feed", broken)
    with listening() as lmtp:
        client = Client(lmtp.port).greet()
        client.begin("tlsrpt@example.com")
        client.ask("DATA")
        client.send(b"Subject: x\r\n")

        assert client.rest() == ["421 4.3.0 Internal error, try again later"]


def test_an_error_at_the_beginning_ends_that_connection_alone(monkeypatch):
    """A connection that we cannot even count is closed, and the next one is served."""

    def broken(*_):
        raise RuntimeError("a bug")

    with listening() as lmtp:
        with monkeypatch.context() as patch:
            patch.setattr("tlsrpt_mailer.sources.admission.Door.enter", broken)
            assert Client(lmtp.port).rest() == []

        assert Client(lmtp.port).greet().deliver()[0].startswith("250")


def test_data_takes_no_argument():
    """RFC 5321, 4.1.1.4."""
    with listening() as lmtp:
        client = Client(lmtp.port).greet()
        client.begin("tlsrpt@example.com")

        assert client.ask("DATA now").startswith("501 5.5.4")
