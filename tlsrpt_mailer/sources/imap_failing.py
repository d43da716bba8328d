"""How a conversation with an IMAP server fails, in this program's errors."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from imapclient.exceptions import (
    IMAPClientAbortError,
    IMAPClientError,
    IMAPClientReadOnlyError,
    ProtocolError,
)

from tlsrpt_mailer.errors import ConfigError, TlsrptError, Unreachable
from tlsrpt_mailer.report.times import Span
from tlsrpt_mailer.sources.imap_texts import tls_trouble, told, untrusted


class Declined(TlsrptError):
    """The server refused one command, and the connection goes on."""


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """
    A verifying TLS context, for the certificates in *ca_file* alone where one is named.

    Raises:
        ConfigError: The file cannot be read or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"ca_file: {ca_file}: {error.strerror or error}") from error


@contextmanager
def failures(host: str, timeout: Span) -> Iterator[None]:
    """Every way in which a conversation fails, as one of two errors."""
    try:
        yield
    except IMAPClientReadOnlyError as error:
        raise Declined('may only be read, so set after = "keep"') from error
    except (IMAPClientAbortError, ProtocolError) as error:
        raise Unreachable(f"{host} ended the connection: {told(error)}") from error
    except IMAPClientError as error:
        raise Declined(told(error)) from error
    except TimeoutError as error:
        raise Unreachable(f"{host} did not answer within {timeout} s") from error
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(untrusted(host, error)) from error
    except ssl.SSLError as error:
        raise Unreachable(f"{host}: {tls_trouble(error)}") from error
    except OSError as error:
        raise Unreachable(f"{host}: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, MemoryError) as e:
        # What imaplib and imapclient raise on an answer that is not IMAP, or after
        # another thread shut the connection.
        raise Unreachable(f"{host} gave an answer that is not IMAP ({type(e).__name__})") from e


@contextmanager
def all_unreachable(host: str, timeout: Span) -> Iterator[None]:
    """The same, where even a refusal means that the server does not want us."""
    try:
        with failures(host, timeout):
            yield
    except Declined as refusal:
        raise Unreachable(f"{host} refuses us: {refusal}") from refusal
