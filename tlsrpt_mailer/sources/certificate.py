"""The certificate that a listener shows after STARTTLS, read again when it is renewed."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import structlog

from tlsrpt_mailer.errors import ConfigError

log = structlog.get_logger()

Stamp: TypeAlias = tuple[tuple[int, int, int], ...]


class Certificate:
    """
    A certificate chain and its key, PEM.

    Renewing tools write the two files one after the other; a pair that does not
    fit together is not used, and the one before it serves on.
    """

    def __init__(self, chain: str, key: str) -> None:
        self._files = (Path(chain), Path(key))
        self._context: ssl.SSLContext | None = None
        self._stamp: Stamp = ()

    def load(self) -> None:
        """
        Read both files.

        Raises:
            ConfigError: They cannot be read, do not fit together, or the key wants a passphrase.
        """
        try:
            self._stamp = self._look()
            self._context = self._read()
        except (OSError, ValueError) as error:
            chain, key = self._files
            raise ConfigError(f"tls_cert {chain}, tls_key {key}: {error}") from error

    def context(self, trouble: Callable[[str | None], None]) -> ssl.SSLContext | None:
        """What the next connection is offered; *trouble* hears what to mend, or None once it is."""
        try:
            stamp = self._look()
        except OSError as error:
            trouble(f"the certificate cannot be read, the one before it serves on: {error}")
            return self._context
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._context = self._read()
            except (OSError, ValueError) as error:
                trouble(f"the new certificate cannot be used, the one before it serves on: {error}")
            else:
                trouble(None)
                log.info("certificate.reloaded", path=str(self._files[0]))
        return self._context

    def _look(self) -> Stamp:
        stats = [os.stat(path) for path in self._files]  # noqa: PTH116 - one call for both
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.load_cert_chain(*self._files, password=_no_passphrase)
        return context


def _no_passphrase() -> str:
    """Without this OpenSSL would ask on the terminal."""
    raise ValueError("the key has a passphrase")
