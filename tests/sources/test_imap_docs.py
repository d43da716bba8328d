"""The how-to for IMAP says what is true."""

import re
from pathlib import Path

from tlsrpt_mailer import wiring
from tlsrpt_mailer.config import parse
from tlsrpt_mailer.sources.imap_settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "imap.md").read_text()


def test_every_example_of_the_how_to_is_a_valid_configuration():
    """What an operator pastes from the page starts."""
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)

    configurations = [parse(text, wiring.KINDS, name="imap.md") for text in examples]

    assert len(configurations) == 8
    assert all(isinstance(c.source[0].settings, Settings) for c in configurations)


def test_the_defaults_that_the_how_to_names_are_the_defaults():
    """Folders, poll and time-out are as the page says."""
    settings = Settings(host="imap.example.com", username="u", password_env="X")

    assert (settings.after, settings.poll, settings.timeout) == ("keep", 300, 60)
    assert settings.at_port == 993
    assert f'done_folder = "{settings.done_folder}"' in PAGE
    assert f'failed_folder = "{settings.failed_folder}"' in PAGE
