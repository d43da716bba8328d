"""
Each trouble stands in the log once, and once more when it is over.

| trouble | said | over |
| --- | --- | --- |
| a source | source.trouble | source.recovered |
| a source's warning (mails not moved) | source.warning | source.mended |
| the relay | alert.deferred (once a mail), relay.trouble | alert.sent, relay.recovered |
| a channel | alert.deferred (once a notice) | alert.sent |
| what a channel forgets | channel.not_refreshed | channel.refreshed_again |
| the database, for who sends mail | mails.deferred | mails.taken_again |
| the database, for the work of the daemon | store.trouble | store.recovered |
| DNS | dns.trouble | dns.recovered |
| a job | job.failed | job.recovered |
| a thread that hangs | thread.hung | thread.recovered |
| the clock | clock.jumped | clock.settled |
| `ping_url` | health.not_pinged | health.pinged_again |
| a bug in a source | source.crashed | source.recovered |
"""

import email
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from email import policy
from pathlib import Path

import pytest
from dns.message import Message
from structlog.testing import capture_logs

from tests.flows.world import World
from tests.place import app_in
from tests.trouble.dns import Answer, Reply, refused, server, texts
from tests.trouble.host import DAY, HOUR, MINUTE, NOON, Host, failing
from tests.trouble.relay import Relay, failing_relay
from tlsrpt_mailer.channels.log import LogChannel
from tlsrpt_mailer.daemon.service import Daemon
from tlsrpt_mailer.daemon.systemd import notify
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.flows.deliver import send_due
from tlsrpt_mailer.flows.directly import StoreWatch
from tlsrpt_mailer.flows.health import Beats, SourceHealth
from tlsrpt_mailer.flows.refresh import Refresher
from tlsrpt_mailer.net.resolver import Resolver
from tlsrpt_mailer.ports import Sent

ROUNDS = 5


def said(logs: list[object], *quiet: str) -> list[str]:
    """Events from info on, without those of *quiet*."""
    return [
        entry["event"]  # type: ignore[index]
        for entry in logs
        if entry["log_level"] != "debug" and entry["event"] not in quiet  # type: ignore[index]
    ]


@pytest.fixture
def relay() -> Iterator[Relay]:
    with failing_relay() as one:
        yield one


def test_a_source(tmp_path: Path) -> None:
    """However often it is tried; another error is news, and so is a warning and its end."""
    with capture_logs() as logs:
        health = SourceHealth("imap:box", Beats(lambda: 0.0), lambda: NOON)
        for error in ("refused", "refused", "no route", "no route"):
            health.trouble(error, 60)
        health.fine("INBOX")
        for warning in ("mails stay", "mails stay", None, None):
            health.warn(warning)

    assert [
        "source.trouble",
        "source.trouble",
        "source.recovered",
        "source.warning",
        "source.mended",
    ] == said(logs)


def test_the_relay(tmp_path: Path, relay: Relay) -> None:
    """One line a mail at its first try, one on the relay, and one each when it is over."""
    host = Host(tmp_path, relay.port)
    host.works()
    relay.on = {"RCPT": "451 4.3.0 later"}
    host.takes()
    host.takes("other.example")
    host.works(6 * HOUR, 30 * MINUTE)
    relay.on.clear()
    host.works(2 * HOUR, 30 * MINUTE)
    host.app.close()
    found = Counter(event for event in said(host.logs) if event.startswith(("alert.", "relay.")))

    assert {
        "alert.composed": 2,
        "alert.deferred": 2,
        "relay.trouble": 1,
        "relay.recovered": 1,
        "alert.sent": 2,
    } == found


def test_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug that comes back every five minutes has one traceback, over restarts as well."""
    host = Host(tmp_path)

    def fails(_now: int) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(host.app, "review", fails)
    host.works(30 * MINUTE, 5 * MINUTE)
    host.restarts()
    host.works(10 * MINUTE, 5 * MINUTE)
    host.app.close()

    assert ["job.failed", "job.recovered"] == [
        event for event in said(host.logs) if event.startswith("job.")
    ]


def test_the_database_for_who_sends_mail(tmp_path: Path) -> None:
    """A locked database is one line, however many senders are put off meanwhile."""
    world = World(tmp_path)
    with capture_logs() as logs:
        with closing(sqlite3.connect(world.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            outcomes = [
                world.take(failing(f"d{number}.example", world.now))[0].outcome
                for number in range(ROUNDS)
            ]
            other.execute("ROLLBACK")
        outcomes += [world.take(failing("d9.example", world.now))[0].outcome for _ in range(2)]

    assert ["failed"] * ROUNDS + ["stored", "duplicate"] == outcomes
    assert ["mails.deferred", "mails.taken_again"] == said(logs, "mail.taken")


def test_dns() -> None:
    """Three look-ups in a row without an answer are one line; the next answer is the other."""
    answers: list[Answer] = [refused("SERVFAIL")]
    now = 0.0

    def answer(question: Message, way: str) -> Reply:
        return answers[-1](question, way)

    with server(answer) as one, capture_logs() as logs:
        resolver = Resolver([one.address], clock=lambda: now)
        for number in range(ROUNDS):
            now += 60
            resolver.txt(f"s{number}.example")
        answers.append(lambda q, _w: texts(q))
        now += 60
        kinds = {resolver.txt(f"s{number}.example").kind for number in range(ROUNDS)}

    assert {"absent"} == kinds
    assert ["dns.trouble", "dns.recovered"] == said(logs)


def test_a_lame_domain_among_others_is_not_said() -> None:
    """What one reporter's name servers do is in `reports --held`, not in the log."""

    def answer(question: Message, way: str) -> Reply:
        lame = "lame" in str(question.question[0].name)
        return refused("SERVFAIL")(question, way) if lame else texts(question)

    now = 0.0
    with server(answer) as one, capture_logs() as logs:
        resolver = Resolver([one.address], clock=lambda: now)
        for number in range(ROUNDS):
            now += 60
            resolver.txt("a.lame.example")
            resolver.txt(f"s{number}.example")

    assert [] == said(logs)


def test_a_channel_that_forgets(tmp_path: Path) -> None:
    """Said when it cannot be refreshed, and when it can again."""
    host = Host(tmp_path, 1, '[[channel]]\nkind = "command"\ncommand = ["/bin/true"]\n')
    host.works()
    host.takes()
    host.works()
    answers = [Temporary("away")] * ROUNDS

    def say(_found: object) -> None:
        if answers:
            raise answers.pop()

    refresher = Refresher(host.app.store.outbox, "channel:command", say)
    with capture_logs() as logs:
        done = [refresher.refresh(NOON + number * HOUR) for number in range(ROUNDS + 2)]
    host.app.close()

    assert [False] * ROUNDS + [True] * 2 == done
    assert ["channel.not_refreshed", "channel.refreshed_again"] == said(logs)


def test_a_channel_with_a_bug(tmp_path: Path) -> None:
    """One traceback a notice, however often it is tried."""

    class Bug:
        def notify(self, *_: object) -> Sent:
            raise RuntimeError("a bug")

    host = Host(tmp_path, 1, '[[channel]]\nkind = "command"\ncommand = ["/bin/true"]\n')
    host.works()
    host.takes()
    with capture_logs() as logs:
        host.app.compose(host.wall)
        for number in range(ROUNDS):
            send_due(
                host.app.store.outbox,
                lambda _: LogChannel(),
                host.wall + number * DAY,
                notifier=lambda _: Bug(),
                lane="channel:command",
                may_give_up=False,
            )
    host.app.close()

    assert ["alert.deferred", "channel.crashed"] == sorted(said(logs, "alert.composed"))


def test_a_thread_that_hangs(tmp_path: Path) -> None:
    """Not every two seconds: once, and when it goes on."""
    with app_in(tmp_path) as app, capture_logs() as logs:
        running = Daemon(app, lambda: app.config)
        running._beats.beat("imap:box", -1)
        for _ in range(ROUNDS):
            running._say([])
        running._beats.forget("imap:box")
        running._say([])

    assert ["thread.hung", "thread.recovered"] == said(logs)


def test_a_systemd_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog is fed every few seconds; that nobody is there is said once."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    with capture_logs() as logs:
        for _ in range(ROUNDS):
            notify("WATCHDOG=1")

    assert ["systemd.unreachable"] == said(logs)


# ------------------------------------------------------------------- the database


class Dark:
    """A daemon's look at its database, and what the operator got."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.seconds = 0.0
        self.watch = StoreWatch(lambda: self.seconds)

    def looks(self, error: str | None, span: int, step: int = 5 * MINUTE) -> None:
        for _ in range(span // step):
            self.seconds += step
            self.host.passes(step)
            self.watch.look(error, self.host.app.routes, self.host.app.clock())


def subjects(relay: Relay) -> list[str]:
    return [
        str(email.message_from_bytes(raw, policy=policy.default)["subject"]).strip()
        for _, raw in relay.taken
    ]


FULL = "no space left for /var/lib/tlsrpt.db: free space [SQLITE_FULL]"


def test_a_database_in_trouble_is_mailed_without_it(tmp_path: Path, relay: Relay) -> None:
    """
    A disk that is full for a quarter of an hour is mailed at once, past the database: again
    a day later, and when it is over. The fallback channel hears the same.
    """
    with failing_relay() as second:
        host = Host(
            tmp_path,
            relay.port,
            '[[channel]]\nkind = "email"\nname = "second"\nhost = "127.0.0.1"\n'
            f'port = {second.port}\nto = ["pager@example.net"]\nevents = ["new"]\n',
            'fallback = ["second"]\n',
        )
        dark = Dark(host)
        dark.looks(FULL, 15 * MINUTE)
        early = list(relay.taken)
        dark.looks(FULL, DAY + HOUR)
        dark.looks(None, HOUR)
        host.app.close()
        others = subjects(second)

    since = "since 14 Oct 12:05Z [tlsrpt]"
    assert [] == early
    assert [
        f"OPERATOR the database cannot be used {since}",
        f"OPERATOR still: the database cannot be used {since}",
        "OPERATOR the database can be used again [tlsrpt]",
    ] == subjects(relay)
    assert others == subjects(relay)
    assert b"SQLITE_FULL" in relay.taken[0][1]


def test_a_database_that_is_locked_for_minutes_is_not_mailed(tmp_path: Path, relay: Relay) -> None:
    """A backup that takes ten minutes is in the log alone."""
    host = Host(tmp_path, relay.port)
    dark = Dark(host)
    for _ in range(3):
        dark.looks("locked", 10 * MINUTE)
        dark.looks(None, 10 * MINUTE)
    host.app.close()

    assert [] == relay.taken


def test_who_cannot_be_told_is_told_later(tmp_path: Path, relay: Relay) -> None:
    """Database and relay are both away: it is tried again every quarter of an hour."""
    host = Host(tmp_path, relay.port)
    dark = Dark(host)
    relay.on = {"MAIL": "451 4.3.0 later"}
    with capture_logs() as logs:
        dark.looks(FULL, HOUR)
        relay.on.clear()
        dark.looks(FULL, HOUR)
    host.app.close()

    assert 1 == len(subjects(relay))
    assert {"program.untold", "program.told"} == set(said(logs))


def test_trouble_of_the_daemons_work_reaches_the_operator(
    tmp_path: Path, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes the tick fail is what is mailed."""
    host = Host(tmp_path, relay.port)
    seconds = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: seconds)
    running = Daemon(host.app, lambda: host.app.config)
    for moment in (0.0, 1000.0):
        seconds = moment
        with running._store_permitting("tick"):
            raise Temporary(FULL)
        running._tell_of_store()
    with running._store_permitting("tick"):
        pass
    running._tell_of_store()
    host.app.close()

    assert ["cannot be used", "can be used again"] == [
        "cannot be used" if "cannot" in one else "can be used again" for one in subjects(relay)
    ]
