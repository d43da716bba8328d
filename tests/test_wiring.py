"""The program without its threads: how it is put together, and what it refuses."""

import hashlib
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.mails import detail, mail, report
from tests.place import app_in, config_in
from tlsrpt_mailer import wiring
from tlsrpt_mailer.config import load
from tlsrpt_mailer.errors import ConfigError, NoSuch, Temporary
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE
from tlsrpt_mailer.wiring import parts

NOW = 1_791_979_200
LMTP = '[[source]]\nkind = "lmtp"\nlisten = "127.0.0.1:{}"\nrecipients = ["t@example.com"]\n'
IMAP = '[[source]]\nkind = "imap"\nhost = "imap.example.com"\nusername = "t@example.com"\n'
MAILDIR = '[[source]]\nkind = "maildir"\npath = "{}"\n'


def test_every_kind_of_source_is_built_under_its_name(tmp_path: Path) -> None:
    """What the configuration calls a source, status and log call it too."""
    text = (
        LMTP.format(1)
        + LMTP.format(2).replace('"lmtp"', '"smtp"')
        + MAILDIR.format(tmp_path)
        + IMAP
        + 'password_env = "NONE"\n'
    )
    with app_in(tmp_path, text) as app:
        built = [source.name for source in wiring.sources(app)]

        assert [
            "lmtp:127.0.0.1:1",
            "smtp:127.0.0.1:2",
            f"maildir:{tmp_path}",
            "imap:t@example.com@imap.example.com",
        ] == built
        assert built == [wiring.source_name(one) for one in app.config.source]


def test_the_same_source_twice_is_refused(tmp_path: Path) -> None:
    """Two readers of one mailbox would fight for it."""
    with (
        app_in(tmp_path, LMTP.format(1) + LMTP.format(1).replace("t@", "u@")) as app,
        pytest.raises(ConfigError, match=r"lmtp:127\.0\.0\.1:1 is configured twice"),
    ):
        wiring.sources(app)


def test_another_database_needs_a_restart(tmp_path: Path) -> None:
    """A reload cannot move the store under a running program."""
    with app_in(tmp_path) as app, pytest.raises(ConfigError, match="needs a restart"):
        app.check(config_in(tmp_path / "elsewhere"))


def test_the_clock_goes_back_only_by_force(tmp_path: Path) -> None:
    """--now before what the store has seen would judge the present by the past."""
    config = config_in(tmp_path)
    with app_in(tmp_path, now=NOW) as app:
        app.deliver([RawMail(mail(report()), "test", NOW)])

    wiring.open_app(config, holder=False, now=NOW - HOUR).close()
    with pytest.raises(ConfigError, match="--force"):
        wiring.open_app(config, holder=True, now=NOW - HOUR - 1)
    wiring.open_app(config, holder=True, now=NOW - DAY, force=True).close()


def test_a_second_holder_is_refused_and_leaves_the_first_alone(tmp_path: Path) -> None:
    """Two daemons on one database: the second one says who the first is."""
    with app_in(tmp_path), pytest.raises(Temporary, match="pid"):
        wiring.open_app(config_in(tmp_path), holder=True)


def test_import_makes_the_database_but_a_command_does_not(tmp_path: Path) -> None:
    """Only what stores something creates a database; a look-up says that there is none."""
    config = config_in(tmp_path)
    with pytest.raises(NoSuch):
        wiring.open_app(config, holder=False)

    wiring.open_app(config, holder=False, make=True).close()

    assert (tmp_path / "tlsrpt.db").is_file()


def test_an_import_keeps_no_daemon_from_starting(tmp_path: Path) -> None:
    """
    A pipe that takes a mail every moment asks nobody for the lock once there is a database, so
    that a daemon which starts meanwhile gets it.
    """
    config = config_in(tmp_path)
    wiring.open_app(config, holder=False, make=True).close()
    lock = tmp_path / "tlsrpt.db.lock"
    lock.unlink()

    wiring.open_app(config, holder=False, make=True).close()

    assert not lock.exists()


def test_import_works_beside_a_daemon(tmp_path: Path) -> None:
    """While a daemon holds the lock, import is an ordinary writer."""
    with app_in(tmp_path):
        beside = wiring.open_app(config_in(tmp_path), holder=False, make=True)
        (receipt,) = beside.deliver([RawMail(mail(report()), "file", NOW)])
        beside.close()

    assert "stored" == receipt.outcome


def test_without_recipients_alerts_go_to_the_log(tmp_path: Path) -> None:
    """A program without [alerts] still says what it found."""
    with app_in(tmp_path, '[alerts]\ngroup_wait = "0s"\n', now=NOW) as app:
        app.deliver([RawMail(mail(report()), "test", NOW)])
        (letter,) = app.compose(NOW)

        assert wiring.LOG_RECIPIENT == letter.recipient
        with capture_logs() as logs:
            assert 1 == app.send_due(NOW).sent
        assert ["alert.raised"] == [line["event"] for line in logs if "subject" in line]


def test_reporters_of_the_configuration_are_known(tmp_path: Path) -> None:
    """trust.reporters lifts a partner's failures above low."""
    raw = mail(
        report(organization="Partner", contact="tls@partner.example"),
        submitter="partner.example",
        sender="tls@partner.example",
    )
    severities = []
    for name, text in (
        ("a", ""),
        ("b", '[trust]\ndkim = "off"\nreporters = ["partner.example"]\n'),
    ):
        (tmp_path / name).mkdir()
        with app_in(tmp_path / name, text, now=NOW) as app:
            app.deliver([RawMail(raw, "test", NOW)])
            with app.store.compose() as txn:
                severities += [one.verdict.severity for one in txn.failures()]

    assert ["low", "critical"] == severities


def test_the_organisational_domain_is_that_of_the_public_suffix_list() -> None:
    """mail.example.co.uk reports as example.co.uk; a bare suffix is nobody."""
    assert ("example.co.uk", None) == (
        wiring.organisational("mail.example.co.uk"),
        wiring.organisational("co.uk"),
    )


def test_alerts_wait_for_an_import_but_not_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A daemon sees an import of another process from its first batch to its end; one that was
    killed holds alerts back for a minute, and a very long one for an hour.
    """
    now = NOW
    monkeypatch.setattr(wiring.app, "clock_of_machine", lambda: now)
    with app_in(tmp_path) as daemon:
        beside = wiring.open_app(config_in(tmp_path), holder=False)
        seen = [daemon.is_importing()]
        with beside.import_under_way() as alive:
            alive()
            seen.append(daemon.is_importing())
        seen.append(daemon.is_importing())
        with beside.import_under_way() as alive:
            alive()
            now += MINUTE
            seen.append(daemon.is_importing())
            now += HOUR
            alive()
            seen.append(daemon.is_importing())
        beside.close()

    assert [False, True, False, False, False] == seen


def test_mail_that_had_to_go_early_is_said(tmp_path: Path) -> None:
    """When junk fills max_untrusted_mb the oldest goes, and the log says how many that were."""
    junk = [
        RawMail(mail(b"{" + hashlib.shake_256(bytes([n])).hexdigest(400_000).encode()), "test", NOW)
        for n in range(4)
    ]
    with app_in(tmp_path, "max_untrusted_mb = 1\n", now=NOW) as app, capture_logs() as logs:
        assert {"quarantined"} == {one.outcome for one in app.deliver(junk)}
        first = app.prune(NOW)
        app.prune(NOW)

    said = [entry for entry in logs if entry["event"] == "store.evicted"]
    assert first.evicted > 0
    assert [first.evicted] == [entry["mails"] for entry in said]


# ---------------------------------------------------------------- whose is what

TEAMS = """
[alerts]
to = ["postmaster@example.com"]
[[owner]]
name = "platform"
addresses = ["platform@example.com"]
escalate_to = ["head@example.com"]
when_empty = "send"
[[domains]]
match = ["*.example.com"]
owners = ["platform", "web@example.com"]
policy_host_owners = ["web@example.com"]
group = "retail"
[[mx]]
match = ["mx.example.net"]
owners = ["noc@example.net"]
tell_domain_owners = "alert"
"""


def test_the_directory_says_what_the_configuration_says(tmp_path: Path) -> None:
    """Names of owners stand for teams, addresses for themselves, alerts.to for the rest."""
    directory = wiring.directory(config_in(tmp_path, TEAMS))
    platform, web = directory.owners_of("shop.example.com")
    (default,) = directory.owners_of("other.example")

    assert (("platform@example.com",), ("head@example.com",), False) == (
        platform.addresses,
        platform.escalate_to,
        platform.skips_empty,
    )
    assert ("web@example.com", ("web@example.com",)) == (web.name, web.addresses)
    assert (("postmaster@example.com",), True, False) == (
        default.addresses,
        default.is_default,
        default.skips_empty,
    )
    assert "retail" == directory.group_of("shop.example.com")
    block = directory.mx_block_of("mx.example.net")
    assert block is not None
    assert ("noc@example.net", "alert") == (block.owners[0].name, block.tell_domain_owners)


def test_domains_of_a_file_are_as_good_as_those_of_match(tmp_path: Path) -> None:
    """Whichever way the names are given, they are looked up alike."""
    (tmp_path / "names").write_text("a.example\n*.b.example\n")
    path = tmp_path / "config.toml"
    path.write_text('[[domains]]\nfile = "names"\nowners = ["x@example.com"]\n')

    directory = wiring.directory(load(path, wiring.KINDS))

    assert [False, False, True] == [
        directory.is_nobodys(name) for name in ("a.example", "c.b.example", "b.example")
    ]


def test_maintenance_by_group_finds_the_domains_of_the_configuration(tmp_path: Path) -> None:
    """The judge learns from [[domains]] which domains a group is."""
    standing = wiring.standing(config_in(tmp_path, TEAMS))

    assert ["retail", None] == [standing.group_of(name) for name in ("a.example.com", "b.example")]


def test_a_reload_changes_who_is_told(tmp_path: Path) -> None:
    """Owners take effect without a restart, for what is told from then on."""
    with app_in(tmp_path, '[alerts]\ngroup_wait = "0s"\nto = ["a@example.com"]', now=NOW) as app:
        app.deliver([RawMail(mail(report()), "test", NOW)])
        new = config_in(
            tmp_path,
            '[alerts]\ngroup_wait = "0s"\nto = ["a@example.com"]\n'
            '[[domains]]\nmatch = ["example.com"]\nowners = ["b@example.com"]',
        )
        app.check(new)
        app.apply(new)

        assert ["b@example.com"] == [letter.recipient for letter in app.compose(NOW)]


@pytest.mark.parametrize(
    ("recipients", "answers"),
    [
        ('["t@example.com"]', "T@example.com"),
        ('["@example.com"]', "T@example.com"),
        ('["u@example.com"]', None),
    ],
)
def test_answers_are_asked_for_only_where_they_come_in(
    tmp_path: Path, recipients: str, answers: str | None
) -> None:
    """No mail prints an address that would bounce."""
    text = LMTP.format(1).replace('["t@example.com"]', recipients)
    config = config_in(tmp_path, text + '[alerts]\nreply_to = "T@example.com"\n')

    assert answers == wiring.answer_address(config)


def test_a_long_look_for_what_is_due_is_followed_by_a_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand open failures do not keep the database busy all day; news wait seconds."""
    monkeypatch.setattr("tlsrpt_mailer.wiring.app.SLOW_SECONDS", 0)
    with app_in(tmp_path, '[alerts]\ngroup_wait = "0s"\n', now=NOW) as app:
        nothing = app.compose_in_turn(NOW)
        app.deliver([RawMail(mail(report(details=(detail(),))), "test", NOW)])

        resting = app.compose_in_turn(NOW)
        rested = app.compose_in_turn(NOW + 30)

    assert ([], []) == (nothing, resting)
    assert ["new"] == [letter.event for letter in rested]


@pytest.mark.parametrize(
    ("server", "is_own"),
    [
        ("mx.example.com", True),
        ("gw7.host.example", True),
        ("in.mail.example.net", True),
        ("mx1.evil.example", False),
        ("localhost", False),
        ("com", False),
    ],
)
def test_only_hosts_near_ours_are_proposed_as_believed(tmp_path: Path, server: str, is_own: bool):
    """Names of this host, of [[domains]] and of our MX hosts; a stranger's are not."""
    config = config_in(
        tmp_path,
        '[alerts]\nto = ["a@example.org"]\n[[domains]]\nmatch = ["*.example.com", "example.com"]\n'
        'mx = ["mx.example.net"]\n',
    )
    for host, said in (
        ("box.host.example", is_own),
        ("localhost", is_own and "host" not in server),
    ):
        settings = parts.held_settings(wiring.standing(config), config, host)

        assert said == settings.is_own(server)
