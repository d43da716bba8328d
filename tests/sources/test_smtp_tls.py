"""STARTTLS: offered, never demanded, with a certificate that may be renewed."""

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from tests.e2e.waiting import until
from tests.sources.listeners import Client, listening
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.sources.smtp import ListenerSource, Settings


class Authority:
    """A CA of our own, and files that it writes certificates to."""

    def __init__(self, folder: Path) -> None:
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self._ca = trustme.CA()
        self.context = ssl.create_default_context()
        self._ca.configure_trust(self.context)

    def issue(self, name: str = "mx.example.com") -> trustme.LeafCert:
        return self._ca.issue_cert(name)

    def write(self, cert: trustme.LeafCert) -> None:
        self.chain.write_bytes(b"".join(blob.bytes() for blob in cert.cert_chain_pems))
        self.key.write_bytes(cert.private_key_pem.bytes())

    @property
    def settings(self) -> dict[str, str]:
        return {"tls_cert": str(self.chain), "tls_key": str(self.key)}


@pytest.fixture
def authority(tmp_path):
    authority = Authority(tmp_path)
    authority.write(authority.issue())
    return authority


@pytest.mark.parametrize("kind", ["lmtp", "smtp"])
def test_a_mail_over_tls(kind, authority):
    """TLS is offered, works, forgets the greeting before it, and is not offered again."""
    greeting = "LHLO x" if kind == "lmtp" else "EHLO x"
    with listening(kind, **authority.settings) as listener:
        client = Client(listener.port)
        client.answer()
        assert "STARTTLS" in client.ask(greeting)
        client.secure(authority.context)

        assert client.ask("MAIL FROM:<>").startswith("503")
        offers = client.ask(greeting)
        assert "STARTTLS" not in offers
        assert "AUTH" not in offers
        assert client.ask("STARTTLS").startswith("503")
        assert client.deliver(b"x" * 300_000 + b"\r\n")[0].startswith("250")
        assert client.ask("QUIT").startswith("221")


def test_tls_is_never_demanded(authority):
    """A report about broken TLS must get through where TLS is broken."""
    with listening("smtp", **authority.settings) as smtp:
        assert Client(smtp.port).greet("EHLO x").deliver()[0].startswith("250")


def test_commands_in_the_clear_behind_starttls_are_thrown_away(authority):
    """What somebody on the way put behind STARTTLS is never obeyed (CVE-2011-0411)."""
    with listening("smtp", **authority.settings) as smtp:
        client = Client(smtp.port).greet("EHLO x")
        client.send(
            b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@example.org>\r\n"
            b"RCPT TO:<tlsrpt@example.com>\r\n"
        )
        assert client.answer().startswith("220")
        client.sock = authority.context.wrap_socket(client.sock, server_hostname="mx.example.com")

        assert client.ask("NOOP") == "250 OK"
        assert client.ask("DATA").startswith("503")
        assert client.ask("EHLO x").startswith("250")


def test_a_renewed_certificate_is_shown_to_the_next_connection(authority):
    """No restart is needed after a renewal."""
    with listening("smtp", **authority.settings) as smtp:
        Client(smtp.port).greet("EHLO x").secure(authority.context)
        authority.write(authority.issue("new.example.com"))
        client = Client(smtp.port).greet("EHLO x").secure(authority.context, "new.example.com")

        assert client.ask("NOOP").startswith("250")


def test_half_a_renewal_leaves_the_old_certificate_in_use(authority):
    """A chain and a key that do not fit are not used, and status says so until they do."""
    new = authority.issue("new.example.com")
    with listening("smtp", **authority.settings) as smtp:
        authority.chain.write_bytes(new.cert_chain_pems[0].bytes())
        Client(smtp.port).greet("EHLO x").secure(authority.context).ask("NOOP")
        authority.key.unlink()
        Client(smtp.port).greet("EHLO x").secure(authority.context).ask("NOOP")
        warnings = [text for word, text in smtp.health.said if word == "warn"]
        authority.write(new)
        Client(smtp.port).greet("EHLO x").secure(authority.context, "new.example.com")

        assert "new certificate cannot be used" in str(warnings[0])
        assert "cannot be read" in str(warnings[1])
        assert smtp.health.said[-1] == ("warn", None)


def test_a_handshake_that_hangs_or_fails_is_let_go(authority):
    """Peers that begin TLS and go silent, talk nonsense or leave hold no connection."""
    with listening("smtp", timeout=1, **authority.settings) as smtp:
        silent, nonsense, gone = (Client(smtp.port).greet("EHLO x") for _ in range(3))
        for client in (silent, nonsense, gone):
            assert client.ask("STARTTLS").startswith("220")
        nonsense.send(b"NOOP\r\n" * 100)
        gone.sock.close()
        reception = until(lambda: smtp.source.reception, "it runs")

        until(lambda: reception.connections == 0, "all connections are gone")
        assert Client(smtp.port).greet("EHLO x").deliver()[0].startswith("250")


def test_a_stop_in_the_middle_of_a_handshake(authority):
    """A stop waits for nobody's handshake, and for nobody's close of TLS."""
    with listening("smtp", **authority.settings) as smtp:
        Client(smtp.port).greet("EHLO x").ask("STARTTLS")
        Client(smtp.port).greet("EHLO x").secure(authority.context)

        assert smtp.stop() < 1.5


def test_starttls_takes_no_argument(authority):
    """RFC 3207, 4."""
    with listening("smtp", **authority.settings) as smtp:
        assert Client(smtp.port).greet("EHLO x").ask("STARTTLS now").startswith("501")


@pytest.mark.parametrize("broken", ["missing", "mismatch", "passphrase", "empty"])
def test_a_certificate_that_cannot_be_used_is_said_at_the_start(broken, authority):
    """Nothing starts with a wrong certificate, and the text names both files."""
    if broken == "missing":
        authority.key.unlink()
    elif broken == "mismatch":
        authority.key.write_bytes(authority.issue().private_key_pem.bytes())
    elif broken == "passphrase":
        key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
        authority.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
    else:
        authority.chain.write_bytes(b"")
    settings = Settings(listen="127.0.0.1:0", recipients=("a@b.example",), **authority.settings)

    with pytest.raises(ConfigError, match=r"tls_cert .*chain\.pem, tls_key .*key\.pem: "):
        ListenerSource("smtp", settings, lambda: 0).open()
