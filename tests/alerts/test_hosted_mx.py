"""Advice where the MX host is run by others: whom to tell, not what to renew."""

import pytest

from tests.alerts.digests import ANA, directory, material
from tests.alerts.digests import mail as digest_mail
from tests.alerts.examples import context, group, item
from tlsrpt_mailer.alerts.digest_model import Failure
from tlsrpt_mailer.alerts.model import Item
from tlsrpt_mailer.alerts.render import render

MX = "example-com.mail.protection.outlook.com"
TELL = "Microsoft (admin.microsoft.com, Help & support)"


def theirs(result_type: str = "certificate-expired", **more: object) -> Item:
    return item(mx=MX, result_type=result_type, run_by="Microsoft 365", tell=TELL, **more)


def flat(one: Item, kind: str = "new") -> str:
    return " ".join(render(group(one, kind=kind, event=kind), context()).text.split())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "result_type",
    [
        "starttls-not-supported",
        "certificate-expired",
        "certificate-host-mismatch",
        "certificate-not-trusted",
        "tlsa-invalid",
    ],
)
def test_what_the_host_shows_is_its_providers_to_mend(result_type: str) -> None:
    """Nobody is told to renew Microsoft's certificate; the stopgap of one's own policy stays."""
    text = flat(theirs(result_type))

    assert (
        f"{MX} is run by Microsoft 365: you cannot mend it yourself. Tell {TELL}, with what the"
        " command above prints."
    ) in text
    assert "certbot" not in text
    assert "postfix reload" not in text
    assert 'Cannot be mended today? Set "mode: testing" in the MTA-STS policy' in text


def test_what_may_be_ones_own_keeps_its_steps() -> None:
    """An MX that the policy does not list is the policy's fault, whoever runs the host."""
    text = flat(theirs("validation-failure"))

    assert f"{MX} is run by Microsoft 365: where it is the host that fails, tell {TELL}." in text
    assert "HOW TO MEND IT" in text
    assert "cannot mend it yourself" not in text


def test_a_policy_host_is_never_the_mx_providers() -> None:
    """That is a web server of one's own."""
    assert "Microsoft" not in flat(theirs("sts-policy-fetch-error"))


def test_lists_name_whom_to_tell() -> None:
    """The first mail on an old mailbox, reminders and digests, in a line."""
    one = Failure(item=theirs(domain="shop.example", failure=3), reporters=("Google",), told_at=1)
    made = material([], [one])
    text = digest_mail(made, ANA, directory({ANA: ["shop.example"]})).text

    assert f"mend: tell {TELL}" in " ".join(text.split())
    assert "you cannot mend it yourself" in flat(theirs(), "summary")
