"""Who runs an MX host, by its name."""

import pytest

from tlsrpt_mailer.domains.hosted import hosted


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("shop-example.mail.protection.outlook.com", "Microsoft 365"),
        ("SHOP-example.Mail.Protection.Outlook.com.", "Microsoft 365"),
        ("shop-example.x-v1.mx.microsoft", "Microsoft 365"),
        ("aspmx.l.google.com", "Google"),
        ("aspmx2.googlemail.com", "Google"),
        ("mx0a-00012345.pphosted.com", "Proofpoint"),
        ("eu-smtp-inbound-1.mimecast.com", "Mimecast"),
        ("d12345a.ess.barracudanetworks.com", "Barracuda"),
        ("mx1.hc123-45.iphmx.com", "Cisco Secure Email"),
        ("mx.zoho.eu", "Zoho"),
        ("in1-smtp.messagingengine.com", "Fastmail"),
        ("mail.protonmail.ch", "Proton"),
        ("mx00.ionos.de", "IONOS"),
        ("mx1.mail.ovh.net", "OVHcloud"),
        ("spool.mail.gandi.net", "Gandi"),
        ("mx.yandex.net", "Yandex"),
        ("mx01.mail.icloud.com", "Apple iCloud"),
    ],
)
def test_the_large_providers_are_known(host: str, name: str):
    """Nobody is told to renew a certificate that only the provider can renew."""
    found = hosted(host)

    assert found is not None
    assert name == found.name
    assert found.tell
    assert "{" not in found.tell


@pytest.mark.parametrize(
    "host",
    [
        "mx1.shop.example",
        "outlook.com.shop.example",
        "notgoogle.com",
        "protection.outlook.com",
        "vps-1234.vps.ovh.net",
        "com",
        "",
        ".",
        "\u00fc" * 300,
    ],
)
def test_what_only_looks_alike_is_ours_to_mend(host: str):
    """A rented server is run by whoever rents it, and a name that only ends alike by its owner."""
    assert None is hosted(host)
