"""The keys of a ``[[source]]`` of kind ``imap``."""

import ipaddress
from typing import Annotated, Literal

import msgspec

from tlsrpt_mailer.config.units import NO_MOMENT, moment_of
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span

PORTS = {"tls": 993, "starttls": 143, "none": 143}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One IMAP mailbox that reports come to.

    Raises:
        ValueError: Keys contradict each other; the text names every contradiction.
    """

    host: str
    username: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    """None: 993 with "tls", else 143."""
    security: Literal["tls", "starttls", "none"] = "tls"
    allow_plaintext: bool = False
    """Permits security = "none" to a host that is not loopback."""
    ca_file: str | None = None
    """Trust the certificates in this PEM file, and no others."""
    auth: Literal["login", "xoauth2"] = "login"
    password_file: str | None = None
    password_env: str | None = None
    password_command: tuple[str, ...] = ()
    token_file: str | None = None
    token_env: str | None = None
    token_command: tuple[str, ...] = ()
    folder: str = "INBOX"
    idle: bool = True
    """Only a hint: the folder is looked at every *poll* as well."""
    poll: Annotated[Span, msgspec.Meta(ge=10, le=DAY)] = 5 * MINUTE
    after: Literal["keep", "seen", "move", "delete"] = "keep"
    """What becomes of a mail once it is stored; "keep" changes nothing in the mailbox."""
    delete_after: Annotated[Span, msgspec.Meta(ge=0, le=3650 * DAY)] = 7 * DAY
    """With after = "delete": how long a stored mail stays."""
    done_folder: str = "TLSRPT/Done"
    """``/`` stands for whatever separates folders at the server."""
    failed_folder: str = "TLSRPT/Failed"
    """For reports that nobody can read, with after = "move" and "delete"."""
    timeout: Annotated[Span, msgspec.Meta(ge=1, le=HOUR)] = MINUTE
    """How long the server may stay silent."""
    trust_before: str | None = None
    """Mails taken before this moment are the operator's word, signed or not."""

    def __post_init__(self) -> None:
        """Refuse what would not work, or would send a password in the clear."""
        problems = [*self._login_problems(), *self._other_problems()]
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def name(self) -> str:
        """``imap:USERNAME@HOST``, with ``/FOLDER`` behind it unless that is INBOX."""
        name = f"imap:{self.username}@{self.host}"
        return name if self.folder.upper() == "INBOX" else f"{name}/{self.folder}"

    @property
    def at_port(self) -> int:
        """The port to connect to."""
        return self.port or PORTS[self.security]

    def _login_problems(self) -> list[str]:
        word = "token" if self.auth == "xoauth2" else "password"
        other = "password" if word == "token" else "token"
        if not any(getattr(self, f"{word}_{way}") for way in ("file", "env", "command")):
            return [f'auth = "{self.auth}" needs {word}_file, {word}_env or {word}_command']
        if any(getattr(self, f"{other}_{way}") for way in ("file", "env", "command")):
            return [f'auth = "{self.auth}" uses no {other}']
        return []

    def _other_problems(self) -> list[str]:
        found = []
        if self.trust_before is not None and moment_of(self.trust_before) is None:
            found.append(NO_MOMENT)
        if not self.host or not self.username or not self.folder:
            found.append("host, username and folder must not be empty")
        if self.security == "none" and not self.allow_plaintext and not is_loopback(self.host):
            found.append(
                'security = "none" would send the password readable over the network; '
                "it is for loopback (or say allow_plaintext = true)"
            )
        if self.after in ("move", "delete"):
            folders = {self.folder.casefold(), self.failed_folder.casefold()}
            if self.after == "move":
                folders.add(self.done_folder.casefold())
            if len(folders) < (3 if self.after == "move" else 2) or "" in folders:
                found.append("folder, done_folder and failed_folder must differ")
        return found


def is_loopback(host: str) -> bool:
    """Is *host* this machine, by its name or address alone?"""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in ("localhost", "localhost.localdomain", "ip6-localhost")
