"""Every limit is at work, and would be missed."""

import importlib
from pathlib import Path

import msgspec
import pytest

from tests.hostile.limits import CONSTANTS, ENDLESS, FIELDS, Limit
from tests.hostile.limits_published import ELSEWHERE, PUBLISHED
from tlsrpt_mailer.intake.model import Limits

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "limits.md").read_text()


@pytest.mark.parametrize("name", FIELDS)
def test_each_limit_of_a_mail_is_at_work(name: str):
    """A mail past the limit is refused or cut; without the limit it would not be."""
    check = FIELDS[name]

    assert check(Limits())
    assert not check(msgspec.structs.replace(Limits(), **{name: ENDLESS}))


@pytest.mark.parametrize(
    "limit", [*CONSTANTS, *PUBLISHED], ids=lambda one: f"{one.module}.{one.name}"
)
def test_each_other_limit_is_at_work(limit: Limit, monkeypatch: pytest.MonkeyPatch):
    """What is past it is refused or cut; without the limit it would not be."""
    assert limit.check()

    module = importlib.import_module(f"tlsrpt_mailer.{limit.module}")
    monkeypatch.setattr(module, limit.name, limit.without)
    assert not limit.check()


def test_no_limit_of_a_mail_is_forgotten():
    """A field that is added to `Limits` needs a check here, and a line in the documentation."""
    assert set(FIELDS) == set(Limits.__struct_fields__)


def test_the_page_names_every_limit_with_its_value():
    """docs/explanation/limits.md says what is true today."""
    fields = {name: getattr(Limits(), name) for name in FIELDS}
    others = {
        f"{one.module}.{one.name}": one.value
        for one in (*CONSTANTS, *PUBLISHED, *ELSEWHERE)
        if isinstance(one.value, int)
    }

    missing = [
        name for name, value in (fields | others).items() if f"| `{name}` | {value:,} |" not in PAGE
    ]

    assert [] == missing
