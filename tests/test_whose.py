"""Finding out whose domains are, as the running program does it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import mails
from tests.place import app_in, config_in
from tlsrpt_mailer import wiring
from tlsrpt_mailer.config import load
from tlsrpt_mailer.daemon import tick
from tlsrpt_mailer.flows.health import HOLD_BACK
from tlsrpt_mailer.jobs import due, table
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import MINUTE, Time
from tlsrpt_mailer.store.sqlite import open_store
from tlsrpt_mailer.trust.model import KeyAnswer
from tlsrpt_mailer.wiring import App

NOW: Time = 1_791_979_200
REQUIRE = '[trust]\ndkim = "require"\n'
RUA = '[checks]\nrua = ["mailto:tlsrpt@example.com"]\n'
OTHER_RUA = '[checks]\nrua = ["mailto:reports@example.com"]\n'
NAMED = '[[domains]]\nmatch = ["other.example"]\n'


class Dns:
    """Says that reports go to tlsrpt@example.com, and notes who was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        self.asked.append(name)
        return KeyAnswer("found", (b"v=TLSRPTv1; rua=mailto:tlsrpt@example.com",))

    def forget_trouble(self) -> None:
        pass


def propose(app: App, *domains: str) -> None:
    with app.store.write() as txn:
        txn.propose(domains, NOW)


def states(app: App) -> dict[str, str]:
    return dict(app.store.adoptions.found_out())


def asked(app: App) -> list[str]:
    """Find out once, and say which names were asked for."""
    dns = Dns()
    app._resolver = dns  # type: ignore[assignment]
    app.find_out_whose(NOW)
    return dns.asked


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (REQUIRE + RUA, ["_smtp._tls.a.example"]),
        ('[trust]\ndkim = "mark"\n' + RUA, ["_smtp._tls.a.example"]),
        ('[trust]\ndkim = "off"\n' + RUA, []),
        (REQUIRE + RUA + NAMED, []),
        (REQUIRE, []),
    ],
)
def test_records_are_looked_up_only_where_they_decide(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    """Not with [[domains]], not without an address to compare with, not where all counts."""
    with app_in(tmp_path, text, now=NOW) as app:
        propose(app, "a.example")

        assert names == asked(app)
        assert ({"a.example": "adopted"} if names else {}) == states(app)
        assert [] == asked(app)


def test_a_new_address_is_tried_at_once(tmp_path: Path) -> None:
    """Who adds checks.rua does not wait a day or a week for the next look-up."""
    with app_in(tmp_path, REQUIRE + OTHER_RUA, now=NOW) as app:
        propose(app, "a.example")
        first = asked(app)
        app.apply(config_in(tmp_path, REQUIRE + OTHER_RUA))
        same = asked(app)
        app.apply(config_in(tmp_path, REQUIRE + RUA))
        other = asked(app)

        assert ["_smtp._tls.a.example"] == first == other
        assert [] == same
        assert {"a.example": "adopted"} == states(app)


def test_it_is_found_out_soon_when_there_is_something_to_find_out(tmp_path: Path) -> None:
    """At the start and after a reload at once, after a report on a new domain in seconds."""
    with app_in(tmp_path, REQUIRE + RUA, now=NOW) as app:
        waits = [app.find_out_every]
        app.find_out_whose(NOW)
        waits.append(app.find_out_every)
        app._whose.ownership(Policy("sts", "new.example"))
        waits.append(app.find_out_every)
        app.find_out_whose(NOW)
        app.apply(app.config)
        waits.append(app.find_out_every)

        assert [0, MINUTE, 5, 0] == waits
        assert "adopt" in [job.name for job in due(table(app), {"adopt": NOW}, NOW)]


def test_what_another_process_said_is_heard(tmp_path: Path) -> None:
    """`domains reject` beside the daemon holds from the next look on."""
    with app_in(tmp_path, REQUIRE + RUA, now=NOW) as app:
        propose(app, "a.example")
        asked(app)
        policy = Policy("sts", "a.example")
        before = app._whose.ownership(policy)
        beside = open_store(app.store.path, create=False)
        beside.adoptions.say(["a.example"], "foreign", NOW, "ana said so")
        beside.close()
        app.find_out_whose(NOW)

        assert ("ours", "foreign") == (before, app._whose.ownership(policy))


def test_every_table_of_the_configuration_says_what_is_ours(tmp_path: Path) -> None:
    """Names, patterns and files of [[domains]], their MX hosts, and those of [[mx]]."""
    (tmp_path / "domains.txt").write_text("listed.example\n*.many.example\n")
    text = (
        '[[domains]]\nmatch = ["named.example"]\nmx = ["mx.named.example"]\n'
        '[[domains]]\nfile = "domains.txt"\n'
        '[[mx]]\nmatch = ["*.pool.example"]\nowners = ["mx@example.com"]\n'
    )
    file = tmp_path / "config.toml"
    file.write_text(text)
    ours = wiring.ours(load(str(file), wiring.KINDS))
    domains = ("named.example", "listed.example", "a.many.example", "other.example")
    hosts = ("mx.named.example", "mx7.pool.example", "mx.other.example")

    assert ["ours", "ours", "ours", "foreign"] == [
        ours.ownership(Policy("sts", name)) for name in domains
    ]
    assert ["ours", "ours", "foreign"] == [ours.ownership(Policy("tlsa", name)) for name in hosts]
    # Hosts alone make no list of domains: those are found out as before.
    assert not wiring.ours(config_in(tmp_path, text[text.index("[[mx]]") :])).is_configured


def hold(app: App, days: Sequence[str]) -> None:
    """Have reports on shop.example held as foreign, as an import under [[domains]] does."""
    for day in days:
        report = mails.report("shop.example", day, details=(mails.detail(),))
        mail = RawMail(mails.mail(report), "test:box", NOW, trusted=True)
        assert ["held"] == [one.outcome for one in app.deliver([mail])]


def test_alerts_wait_until_all_that_was_held_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the report of one day breaks the next may mend: nobody is mailed in between."""
    monkeypatch.setattr("tlsrpt_mailer.flows.adopting.MAILS", 1)
    monkeypatch.setattr("tlsrpt_mailer.flows.adopting.PORTION", 1)
    composed: list[Time] = []
    with app_in(tmp_path, REQUIRE + NAMED, now=NOW) as app:
        hold(app, ["2026-10-11", "2026-10-12", "2026-10-13"])
        app.apply(config_in(tmp_path, f'{REQUIRE}[[domains]]\nmatch = ["shop.example"]\n'))
        # A signature is another matter.
        monkeypatch.setattr(
            app.store.adoptions,
            "mails",
            lambda numbers, read=app.store.adoptions.mails: [
                RawMail(one.raw, one.source, one.taken_at, again=True, trusted=True)
                for one in read(numbers)
            ],
        )
        monkeypatch.setattr(app, "compose_in_turn", composed.append)
        tick(app, [])
        busy = app.is_importing()
        turns = 1
        while app.find_out_whose(NOW) and turns < 10:
            turns += 1
        during = list(composed)
        tick(app, [])

        assert busy
        assert [] == during
        assert [NOW] == composed
        assert not app.is_importing()


def test_alerts_do_not_wait_for_ever(tmp_path: Path) -> None:
    """After an hour of reading again they go out all the same."""
    with app_in(tmp_path, REQUIRE + RUA, now=NOW) as app:
        app._whose._busy_since = NOW

        assert app._whose.is_busy(NOW + HOLD_BACK - 1)
        assert not app._whose.is_busy(NOW + HOLD_BACK)
