"""The reference page shows the mails as they are."""

import re

from tests.alerts.every_kind import EVERY
from tests.alerts.reference import ABOUT, PAGE, page
from tlsrpt_mailer.alerts.model import Kind


def test_the_examples_on_the_page_are_what_is_mailed():
    """
    Who reads the page sees the mails of this version.

    To renew them: ``python -m tests.alerts.reference``.
    """
    text = PAGE.read_text("utf-8")

    assert page(text) == text


def test_every_kind_has_a_row_and_an_example():
    """No kind of mail goes out that the page does not know."""
    kinds = set(Kind.__args__)
    rows = set(re.findall(r"^\| ([a-z-]+) \|", PAGE.read_text("utf-8"), re.MULTILINE))

    assert set() == kinds - rows
    assert set() == kinds - set(ABOUT) - set(EVERY)
    assert set() == kinds - set(ABOUT)
