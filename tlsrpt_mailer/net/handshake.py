"""
TLS with whatever the other side has, to see it: no version, cipher or certificate is refused.

Nothing that is said over such a connection may be believed, and nothing secret be told. `ssl` of
the standard library does not give the chain, so this is pyOpenSSL: the extra "probe".
"""

import socket
from contextlib import suppress

from OpenSSL import SSL, crypto

from tlsrpt_mailer.net.dialogue import Broken, drain, shown

MOST_BYTES = 256 * 1024
"""Of a handshake; OpenSSL takes 100 KiB of certificates."""
RECORD = 16_384
OLDEST = 0x0301
"""TLS 1.0; what is older is in no library any more."""
LEGACY = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT: servers that know nothing of RFC 5746."""
CIPHERS = b"ALL:!aNULL:!eNULL:@SECLEVEL=0"
"""All but those that show no certificate: some servers prefer them when they may."""


def anything() -> SSL.Context:
    """For a `Handshake` with anybody; can be shared."""
    made = SSL.Context(SSL.TLS_METHOD)
    made.set_verify(SSL.VERIFY_NONE)
    made.set_min_proto_version(OLDEST)
    made.set_options(LEGACY)
    made.set_cipher_list(CIPHERS)
    return made


class Handshake:
    """TLS over a connection, which has a time-out."""

    def __init__(self, connection: socket.socket, host: str, context: SSL.Context) -> None:
        self._connection = connection
        # Without a socket: so all that comes can be counted, and has the time-out.
        self._tls = SSL.Connection(context, None)
        if host.isascii() and host.isprintable():
            self._tls.set_tlsext_host_name(host.encode())
        self._tls.set_connect_state()

    def shake(self) -> None:
        """
        Agree on TLS.

        Raises:
            Broken: That cannot be; the text says why.
            OSError: The connection broke.
        """
        taken = 0
        while self._needs_more():
            more = self._connection.recv(RECORD)
            taken += len(more)
            if not more:
                raise Broken("it hung up in the handshake")
            if taken > MOST_BYTES:
                raise Broken(f"a handshake of more than {MOST_BYTES} bytes")
            self._tls.bio_write(more)

    @property
    def protocol(self) -> str:
        """Such as ``TLSv1.3``."""
        return self._tls.get_protocol_version_name()

    @property
    def chain(self) -> list[crypto.X509]:
        """The certificates as the server sent them."""
        return self._tls.get_peer_cert_chain() or []

    def quit(self) -> None:
        """Say goodbye within TLS; whether it is answered does not matter."""
        with suppress(OSError, SSL.Error):
            self._tls.send(b"QUIT\r\n")
            self._flush()
            drain(self._connection)

    def _needs_more(self) -> bool:
        """Go on as far as what came allows; whether that is not the end."""
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return True
        except SSL.Error as error:
            with suppress(OSError):
                self._flush()  # the alert that tells the other side why
            raise Broken(_said(error)) from error
        self._flush()
        return False

    def _flush(self) -> None:
        """Send what OpenSSL has to say."""
        while True:
            try:
                waiting = self._tls.bio_read(RECORD)
            except SSL.WantReadError:
                return
            self._connection.sendall(waiting)


def _said(error: SSL.Error) -> str:
    """OpenSSL's reasons, such as ``tlsv1 alert protocol version``."""
    listed = error.args[0] if error.args and isinstance(error.args[0], list | tuple) else ()
    return shown(", ".join(str(one[-1]) for one in listed if one) or "TLS failed")
