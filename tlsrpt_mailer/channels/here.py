"""What every channel may know of the program it is part of."""

from pathlib import Path

import msgspec

from tlsrpt_mailer.config import Secret, secret
from tlsrpt_mailer.errors import ConfigError


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """The host and the configuration around a channel."""

    name: str
    """The channel's, from the configuration: what texts about its trouble name."""
    host: str
    sender: str
    """``alerts.from``, the bare address."""
    beside: Path | None = None
    """The configuration file: relative names are looked for in its folder."""

    def needs(self, settings: msgspec.Struct, word: str) -> Secret:
        """The same; raises ConfigError where none of the three is configured."""
        found = self.secret(settings, word)
        if found is None:
            ways = f"{word}_file, {word}_env or {word}_command"
            raise ConfigError(f"channel {self.name}: {ways} is missing")
        return found

    def secret(self, settings: msgspec.Struct, word: str) -> Secret | None:
        """What reads *word*_file, *word*_env or *word*_command of *settings*, or None."""
        return secret(settings, word, beside=self.beside)
