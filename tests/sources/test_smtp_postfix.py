"""A real Postfix delivers to the listeners, with the very settings that the how-tos give."""

import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import trustme

from tests import mails
from tests.e2e.waiting import until
from tests.servers.postfix import Postfix, postfix
from tests.sources.listeners import Running, Store, listening
from tlsrpt_mailer.sources.smtp import Settings

pytestmark = pytest.mark.servers

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
REPORT = mails.mail(mails.report())


def carries_the_report(raw: bytes) -> bool:
    """Whether *raw* is the report as it was sent: only headers before it, only line ends differ."""
    return raw.replace(b"\r\n", b"\n").rstrip().endswith(REPORT.replace(b"\r\n", b"\n").rstrip())


def settings_of(page: str, heading: str, fence: str = "ini") -> str:
    """What stands in the first block of kind *fence* under *heading* of a how-to."""
    text = (HOW_TO / f"{page}.md").read_text()
    section = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", re.sub(r"^# ", "% ", section, flags=re.MULTILINE))[0]
    found = re.search(rf"^```{fence}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, f"no block {fence} under {heading}"
    return found[1]


@contextmanager
def configured(main: str, running: Running) -> Iterator[Postfix]:
    """A Postfix with *main*, where the port is the listener's and tables are files of ours."""
    main = main.replace("8825", str(running.port))
    server = Postfix()
    table = server.folder / "table"
    table.write_text("somebody@example.com x\n")
    main = re.sub(r"hash:/etc/postfix/\w+", f"texthash:{table}", main)
    with (server.config / "main.cf").open("a") as file:
        file.write(main)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def lmtp_settings(heading: str) -> str:
    """The transport, and the recipient setting that stands under *heading*."""
    transport = settings_of("postfix-lmtp", "Say where to deliver")
    return transport + settings_of("postfix-lmtp", heading)


@pytest.mark.parametrize(
    ("heading", "more"),
    [
        ("The domain is in mydestination", ""),
        (
            "The domain is in virtual_mailbox_domains",
            "mydestination = localhost\nvirtual_mailbox_domains = example.com\n",
        ),
        (
            "The domain is in relay_domains",
            "mydestination = localhost\nrelay_domains = example.com\n",
        ),
    ],
)
def test_postfix_delivers_by_lmtp_for_each_class_of_address(heading, more):
    """Two recipients are one mail with two answers; a stranger is refused by Postfix itself."""
    main = more + lmtp_settings(heading)
    with listening() as lmtp, configured(main, lmtp) as server:
        server.send(REPORT, "tlsrpt@example.com", "tlsrpt+detail@example.com")
        until(lambda: server.log.count("status=sent") == 2, "both recipients are delivered")
        with pytest.raises(OSError, match=r"550|User unknown"):
            server.send(REPORT, "other@example.com")

        (mail,) = lmtp.store.mails
        assert carries_the_report(mail.raw)
        assert "Report stored)" in server.log
        assert server.queued() == []


def test_an_address_in_virtual_alias_domains():
    """An address that is only another name reaches us by the one it stands for."""
    main = (
        lmtp_settings("The domain is in mydestination")
        + "virtual_alias_domains = shop.example\n"
        + settings_of("postfix-lmtp", "The domain is in virtual_alias_domains")
    )
    with listening() as lmtp, configured(main, lmtp) as server:
        server.send(REPORT, "tlsrpt@shop.example")

        (mail,) = until(lambda: lmtp.store.mails, "the mail is delivered")
        assert carries_the_report(mail.raw)
        until(lambda: "status=sent" in server.log, "Postfix has heard so")
        assert "to=<tlsrpt@example.com>, orig_to=<tlsrpt@shop.example>" in server.log


def test_a_transport_map_that_was_there_before_stays():
    """The setting with both maps is one that Postfix understands."""
    transport = settings_of("postfix-lmtp", "Say where to deliver", "text")
    main = transport + settings_of("postfix-lmtp", "The domain is in mydestination")
    with listening() as lmtp, configured(main, lmtp) as server:
        server.send(REPORT, "tlsrpt@example.com")

        (mail,) = until(lambda: lmtp.store.mails, "the mail is delivered")
        assert carries_the_report(mail.raw)
        until(lambda: "status=sent" in server.log, "Postfix has heard so")
        assert "warning" not in server.log


def test_a_domain_of_its_own():
    """Every address of one domain, with the three lines that the how-to gives."""
    heading = "Or give it a domain of its own"
    source = settings_of("postfix-lmtp", heading, "toml")
    assert 'recipients = ["@reports.example.com"]' in source
    with (
        listening(recipients=("@reports.example.com",)) as lmtp,
        configured(settings_of("postfix-lmtp", heading), lmtp) as server,
    ):
        server.send(REPORT, "a@reports.example.com", "b@reports.example.com")

        until(lambda: server.log.count("status=sent") == 2, "both recipients are delivered")
        assert len(lmtp.store.mails) == 1


def test_postfix_keeps_a_mail_that_is_not_stored_and_comes_again():
    """After 451, and while the daemon is away, the mail waits in Postfix and is lost by nobody."""
    main = lmtp_settings("The domain is in mydestination")
    store = Store("failed", "disk full")
    with listening(store=store) as lmtp, configured(main, lmtp) as server:
        server.send(REPORT, "tlsrpt@example.com", "tlsrpt+b@example.com")
        until(lambda: server.deferred("disk full"), "the mail is deferred")
        assert sorted(_waiting(server)) == ["tlsrpt+b@example.com", "tlsrpt@example.com"]
        port = lmtp.port
        lmtp.stop()
        server.flush()
        until(lambda: server.deferred("Connection refused"), "the daemon is away")
        with listening(listen=f"127.0.0.1:{port}") as again:
            server.flush()
            until(lambda: not server.queued(), "the queue is empty")

            assert len(again.store.mails) == 1
            assert carries_the_report(again.store.mails[0].raw)


def test_a_transport_map_that_routes_too_much_delays_and_does_not_bounce():
    """A recipient that is not ours stays in Postfix's queue, and its sender hears nothing."""
    main = (
        "local_recipient_maps =\n"
        "transport_maps = inline:{ { example.com = lmtp:inet:127.0.0.1:8825 } }\n"
    )
    with listening() as lmtp, configured(main, lmtp) as server:
        server.send(REPORT, "tlsrpt@example.com", "boss@example.com")
        until(lambda: server.deferred("Not among the recipients"), "the other one waits")

        # Postfix strikes out the recipient that is served a moment later.
        until(lambda: _waiting(server) == ["boss@example.com"], "only that one waits")
        assert len(lmtp.store.mails) == 1
        assert "status=bounced" not in server.log


def _waiting(server: Postfix) -> list[str]:
    return [one["address"] for mail in server.queued() for one in mail["recipients"]]


def test_a_mail_that_is_too_large_is_refused_to_its_sender():
    """Postfix reads SIZE and bounces at once: a retry would fail alike."""
    main = lmtp_settings("The domain is in mydestination")
    large = REPORT + b"x" * 70 + b"\r\n"
    with listening(max_size=65_536) as lmtp, configured(main, lmtp) as server:
        server.send(large + (b"x" * 70 + b"\r\n") * 1500, "tlsrpt@example.com", sender="")
        until(lambda: "status=bounced" in server.log, "the mail is refused")

        assert "5.3.4" in server.log
        assert lmtp.store.mails == []


def test_postfix_delivers_by_a_unix_socket_from_its_chroot():
    """The socket lies under the queue directory, with the folder and modes that the page gives."""
    heading = "By a unix socket"
    install = settings_of("postfix-lmtp", heading, "console")
    source = settings_of("postfix-lmtp", heading, "toml")
    assert "-g postfix -m 0710 /var/spool/postfix/tlsrpt-mailer" in install
    main = settings_of("postfix-lmtp", heading)
    main += settings_of("postfix-lmtp", "The domain is in mydestination")
    with postfix(main) as server:
        inside = server.queue / "tlsrpt-mailer"
        inside.mkdir()
        shutil.chown(inside, "nobody", "postfix")
        inside.chmod(0o710)
        mode = re.search(r'mode = "(\d+)"', source)
        assert mode is not None
        with listening(
            listen=str(inside / "lmtp"), owner="nobody", group="nogroup", mode=mode[1]
        ) as lmtp:
            assert stat.S_IMODE((inside / "lmtp").stat().st_mode) == 0o666
            server.send(REPORT, "tlsrpt@example.com")
            until(lambda: lmtp.store.mails, f"the mail is delivered: {server.log}")

            until(lambda: "status=sent" in server.log, "Postfix knows it")


def test_postfix_opens_twenty_connections():
    """A queue of hundreds of reports comes in over many connections, and all are taken."""
    main = lmtp_settings("The domain is in mydestination")
    store = Store()
    with listening(store=store) as lmtp, configured(main, lmtp) as server:
        lmtp_count = 100
        for number in range(lmtp_count):
            server.send(b"X: %d\r\n" % number + REPORT, "tlsrpt@example.com", sender="")
        until(lambda: len(store.mails) == lmtp_count, "all are delivered")
        until(lambda: not server.queued(), "the queue is empty")

        assert len({mail.raw.partition(b"X: ")[2][:3] for mail in store.mails}) == lmtp_count


def test_postfix_delivers_by_smtp_with_tls(tmp_path):
    """Standing alone on a port, it takes mail as any MX does: with TLS, and strangers get 550."""
    authority = trustme.CA()
    cert = authority.issue_cert("reports.example.com")
    (tmp_path / "fullchain.pem").write_bytes(b"".join(p.bytes() for p in cert.cert_chain_pems))
    (tmp_path / "privkey.pem").write_bytes(cert.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    source = settings_of("standalone-smtp", "Let the daemon listen", "toml")
    source = source.replace("/etc/tlsrpt-mailer", str(tmp_path)).replace(
        "systemd:smtp", "127.0.0.1:0"
    )
    main = (
        f"smtp_tls_CAfile = {tmp_path}/ca.pem\nsmtp_tls_security_level = verify\n"
        "smtp_tls_verify_cert_match = reports.example.com\nsmtp_tls_loglevel = 1\n"
        "relay_domains = reports.example.com\n"
        "transport_maps = inline:{ { reports.example.com = smtp:[127.0.0.1]:8825 } }\n"
    )
    with (
        listening("smtp", **source_settings(source)) as smtp,
        configured(main, smtp) as server,
    ):
        server.send(REPORT, "tlsrpt@reports.example.com", "postmaster@reports.example.com")
        server.send(REPORT, "stranger@reports.example.com", sender="")
        until(lambda: "status=bounced" in server.log, "the stranger is refused")
        until(lambda: smtp.store.mails, "the report is delivered")

        assert "Verified TLS connection established" in server.log
        assert "550 5.1.1 No such address here" in server.log
        assert [mail.forward_to for mail in smtp.store.mails] == ["postmaster@example.com"]


def source_settings(toml: str) -> dict[str, object]:
    """The keys of one [[source]] of a how-to, without its kind, checked as the program does."""
    source = msgspec.toml.decode(toml)["source"][0]
    source.pop("kind")
    settings = msgspec.convert(source, Settings)
    return {field: getattr(settings, field) for field in settings.__struct_fields__}


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("postfix-lmtp", "Let the daemon listen"),
        ("postfix-lmtp", "Or give it a domain of its own"),
        ("postfix-lmtp", "By a unix socket"),
        ("standalone-smtp", "Let the daemon listen"),
    ],
)
def test_the_sources_in_the_how_tos_are_valid(page, heading):
    """What the pages say to put into the configuration can be put there."""
    assert source_settings(settings_of(page, heading, "toml"))["recipients"]


SCRIPT = """#!/bin/sh
cat > {folder}/mail.$$
echo "$@" > {folder}/arguments
exit $(cat {folder}/code)
"""


@pytest.fixture
def open_folder():
    """A folder that every user may enter and nobody writes to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.chown(folder, "nobody")
        yield folder


def test_postfix_delivers_by_a_pipe(open_folder):
    """The exit code 75 defers, 0 takes; the command and its user are as the how-to gives them."""
    box = open_folder
    service = settings_of("sieve-or-pipe", "Postfix", "cf")
    main = settings_of("sieve-or-pipe", "Postfix")
    script = box / "tlsrpt-mailer"
    script.write_text(SCRIPT.format(folder=box))
    script.chmod(0o755)
    code = box / "code"
    code.write_text("75")
    service = service.replace("user=tlsrpt-mailer", "user=nobody")
    service = service.replace("/opt/tlsrpt-mailer/bin/tlsrpt-mailer", str(script))
    with postfix(main, service) as server:
        server.send(REPORT, "tlsrpt@example.com")
        until(lambda: server.deferred("temporary failure"), f"it is deferred: {server.log}")
        code.write_text("0")
        server.flush()
        until(lambda: not server.queued(), "the queue is empty")
        taken = [file.read_bytes() for file in box.glob("mail.*")]

        assert "status=sent" in server.log
        assert (box / "arguments").read_text() == "import -\n"
        assert len(taken) == 2
        assert all(carries_the_report(raw) for raw in taken)
