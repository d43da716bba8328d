"""What the configuration makes of looks at domains and of test reports."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests import mails
from tests.place import app_in, config_in
from tlsrpt_mailer import wiring
from tlsrpt_mailer.errors import ConfigError, installs
from tlsrpt_mailer.jobs import outside_table
from tlsrpt_mailer.ports import Due, RawMail
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.wiring import checking, outside

NOW = 1_795_435_200  # 2026-11-23T12:00:00Z
LMTP = '[[source]]\nkind = "lmtp"\nlisten = "127.0.0.1:8825"\nrecipients = ["tls@mail.example"]\n'
NAMED = '[[domains]]\nmatch = ["example.com", "*.shop.example"]\n'


def rua(*uris: str) -> str:
    return f"[checks]\nrua = {json.dumps(uris)}\n"


def addresses(folder: Path, text: str) -> tuple[str, ...]:
    return wiring.canary_addresses(config_in(folder, text), "host.example.org")


# ------------------------------------------------------------------ test reports


def test_test_reports_go_to_addresses_of_ours_alone(tmp_path: Path) -> None:
    """Never to a vendor's, who would take one for a report of ours."""
    vendors = rua("mailto:us@vendor.example", "https://vendor.example/tls", "mailto:t@example.com")

    assert ("t@example.com",) == addresses(tmp_path, vendors + NAMED)
    assert () == addresses(tmp_path, rua("mailto:us@vendor.example") + NAMED)


def test_a_mailbox_makes_no_address_ours(tmp_path: Path) -> None:
    """Whatever else may be delivered to it: only the one that it is named by is known."""
    maildir = f'[[source]]\nkind = "maildir"\npath = "{tmp_path}"\n'
    imap = (
        '[[source]]\nkind = "imap"\nhost = "imap.example.com"\npassword_env = "NONE"\n'
        'username = "t@mail.example"\n'
    )
    both = rua("mailto:us@vendor.example", "mailto:T+tls@mail.example")

    assert () == addresses(tmp_path, both + maildir)
    assert ("T+tls@mail.example",) == addresses(tmp_path, both + imap)
    assert ("t@mail.example",) == addresses(tmp_path, rua("mailto:us@vendor.example") + imap)


def test_an_address_is_ours_by_domain_source_or_host(tmp_path: Path) -> None:
    """At a domain of ours or near one, where a source takes it, or at this host's own domain."""
    assert ("t@mx.example.com",) == addresses(tmp_path, rua("mailto:t@mx.example.com") + NAMED)
    assert ("tls@mail.example",) == addresses(tmp_path, rua("mailto:tls@mail.example") + LMTP)
    assert ("t@example.org",) == addresses(tmp_path, rua("mailto:t@example.org"))
    twice = rua("mailto:t@example.org", "mailto:u@example.org", "mailto:t@example.org")
    assert ("t@example.org", "u@example.org") == addresses(tmp_path, twice), "each once"


def test_without_a_word_the_sources_say_where_reports_go(tmp_path: Path) -> None:
    """The recipients of a listener; a whole domain is no address."""
    every = LMTP.replace('"tls@mail.example"', '"tls@mail.example", "@other.example"')

    assert ("tls@mail.example",) == addresses(tmp_path, every)


def test_the_sender_is_that_of_the_alerts_or_one_of_its_own(tmp_path: Path) -> None:
    """Reports of ours come from where alerts do, unless the configuration says otherwise."""
    alerts = '[alerts]\nfrom = "tls@mail.example.com"\n'

    plain = wiring.Checking(config_in(tmp_path, alerts)).canary()
    own = wiring.Checking(config_in(tmp_path, f'{alerts}[canary]\nfrom = "c@example.com"\n'))

    assert "tls@mail.example.com" == plain.sender
    assert "c@example.com" == own.canary().sender
    assert plain.key() is None


def test_a_key_of_its_own_is_read_when_one_is_sent(tmp_path: Path) -> None:
    """As all secrets are: from a file beside the configuration, anew each time."""
    (tmp_path / "key").write_text("-----BEGIN KEY-----\nMIIE\n-----END KEY-----\n")
    text = f'[canary]\nkey_file = "{tmp_path / "key"}"\n'

    key = wiring.Checking(config_in(tmp_path, text)).canary().key()

    assert b"-----BEGIN KEY-----\nMIIE\n-----END KEY-----" == key


def test_what_records_should_name(tmp_path: Path) -> None:
    """checks.rua as it stands, else the first address of a source."""
    both = rua("mailto:a@example.com", "https://example.com/tls")

    assert ("mailto:a@example.com", "https://example.com/tls") == wiring.Checking(
        config_in(tmp_path, both)
    ).rua
    assert ("mailto:tls@mail.example",) == wiring.Checking(config_in(tmp_path, LMTP)).rua
    assert () == wiring.Checking(config_in(tmp_path)).rua


def test_how_often_is_looked_and_whose_word_on_dnssec_is_taken(tmp_path: Path) -> None:
    """By the day, the week or not at all; the AD bit of a far server only where that is said."""
    every = [
        wiring.Checking(config_in(tmp_path, f'[checks]\nschedule = "{one}"\n')).every
        for one in ("daily", "weekly", "off")
    ]
    far = '[dns]\nnameservers = ["192.0.2.1"]\n'

    assert [DAY, 7 * DAY, None] == every
    assert not wiring.Checking(config_in(tmp_path, far)).lookups.is_near
    assert wiring.Checking(config_in(tmp_path, f"{far}trust_ad = true\n")).lookups.is_near


# ------------------------------------------------------------------------- probe


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra "probe" were not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        checking, "find_spec", lambda name: None if name in checking.PROBE else found(name)
    )


def test_an_extra_is_installed_where_the_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pip of another Python would install it where nobody looks."""
    monkeypatch.setattr(sys, "prefix", "/opt/tlsrpt-mailer/venv")
    assert "/opt/tlsrpt-mailer/venv/bin/pip install 'tlsrpt-mailer[probe]'" == installs("probe")
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert "pip install 'tlsrpt-mailer[probe]'" == installs("probe")


@pytest.mark.usefixtures("bare")
def test_a_probe_that_cannot_be_is_said_at_the_start(tmp_path: Path) -> None:
    """And what to install; without the probe all works."""
    said = (
        r"checks\.probe: looking at certificates needs OpenSSL: .*pip install 'tlsrpt-mailer\[pro"
    )

    with pytest.raises(ConfigError, match=said):
        wiring.Checking(config_in(tmp_path, "[checks]\nprobe = true\n"))
    with pytest.raises(ConfigError, match=r"^looking at certificates needs OpenSSL"):
        wiring.Checking(config_in(tmp_path)).looker(is_probing=True)
    assert wiring.Checking(config_in(tmp_path)).looker().blocked is None


# --------------------------------------------------------------------- whose turn


def enrolled(folder: Path, text: str, *domains: str) -> list[Due]:
    """What is looked at once reports on these domains have come."""
    with app_in(folder, text, now=NOW) as app:
        raws = [mails.mail(mails.report(name, "2026-11-22")) for name in domains]
        app.deliver([RawMail(raw, "test:box", NOW) for raw in raws])
        app.outside.enrol(NOW)
        return list(app.store.checks.all())


def test_named_domains_and_reported_ones_that_are_ours_are_looked_at(tmp_path: Path) -> None:
    """Names in full, globs over what reports speak of; what no [[domains]] names is not."""
    found = enrolled(tmp_path, NAMED, "a.shop.example", "stranger.example")

    assert [Due("a.shop.example", False), Due("example.com", False)] == found


def test_what_is_no_name_is_not_asked_for(tmp_path: Path) -> None:
    """Reports may speak of anything; DNS is asked for names."""
    found = enrolled(tmp_path, "", "a.example", "no name.example", "*.example", "-x-.example")

    assert [Due("a.example", False)] == found


def test_without_any_word_strangers_fill_no_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing says whose domains are, only so many of those reported are looked at."""
    monkeypatch.setattr(outside, "MOST_UNNAMED", 2)

    found = enrolled(tmp_path, "", *(f"d{n}.example" for n in range(4)))

    assert [Due("d0.example", False), Due("d1.example", False)] == found


def test_who_is_looked_at_is_not_pushed_out_by_names_of_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody chooses names that come before those of others."""
    monkeypatch.setattr(outside, "MOST_UNNAMED", 2)
    enrolled(tmp_path, "", "shop.example")

    found = enrolled(tmp_path, "", *(f"a{n}.stranger.example" for n in range(4)))

    assert [Due("a0.stranger.example", False), Due("shop.example", False)] == found


def test_domains_are_entered_at_the_start_and_each_hour(tmp_path: Path) -> None:
    """A reload enters them at once."""
    with app_in(tmp_path, NAMED, now=NOW) as app:
        assert 0 == app.outside.enrol_every
        assert 1 == app.outside.enrol(NOW)
        assert HOUR == app.outside.enrol_every
        app.apply(config_in(tmp_path, NAMED.replace("example.com", "example.net")))
        assert 0 == app.outside.enrol_every
        assert 1 == app.outside.enrol(NOW)
        assert [Due("example.net", False)] == list(app.store.checks.all())


def test_what_is_off_asks_nobody(tmp_path: Path) -> None:
    """[checks] schedule = "off", and no [canary]: nothing goes out by itself."""
    with app_in(tmp_path, NAMED, now=NOW) as app:
        app.outside.enrol(NOW)
        assert 0 == app.outside.check_domains()
        assert 0 == app.outside.send_canaries(NOW)
        assert "lookups" not in vars(app.outside.checking)


def test_volumes_are_added_up_for_the_inventory(tmp_path: Path) -> None:
    """Sessions of four weeks, by domain."""
    with app_in(tmp_path, now=NOW) as app:
        days = ("2026-10-25", "2026-10-26", "2026-11-21")  # the first ended before them
        for day in days:
            raw = mails.mail(mails.report("example.com", day, details=(), successful=100))
            app.deliver([RawMail(raw, "test:box", NOW)])

        assert 1 == app.outside.count_volumes(NOW)
        with app.store.writer.reading() as conn:
            rows = conn.execute("SELECT domain, sessions, failed, reporters FROM volumes")
            assert [("example.com", 200, 0, 1)] == rows.fetchall()
        assert 0 == app.outside.count_volumes(NOW + 40 * DAY)


def test_volumes_are_added_up_at_the_start_and_soon_after_reports(tmp_path: Path) -> None:
    """Nobody waits an hour for the figures of what was imported; without any it waits."""
    with app_in(tmp_path, now=NOW) as app:
        app.outside.count_volumes(NOW)
        assert HOUR == app.outside.count_every
        raw = mails.mail(mails.report("example.com", "2026-11-21"))
        app.deliver([RawMail(raw, "test:box", NOW)])
        assert outside.COUNTED_SOON == app.outside.count_every < HOUR
        app.outside.count_volumes(NOW)
        assert HOUR == app.outside.count_every
    with app_in(tmp_path, now=NOW) as again:
        assert 0 == again.outside.count_every
        assert ["inventory", "volumes"] == [job.name for job in outside_table(again)][:2]
