"""
MX hosts that others run, by the end of their names: their customers can mend nothing there.

Only ends that customers' own machines never bear stand here: a rented server
under its provider's domain is run by whoever rents it.
"""

import msgspec

from tlsrpt_mailer.report.hosts import domain_text


class Hosted(msgspec.Struct, frozen=True):
    """Who runs an MX host, and how to reach them."""

    name: str
    tell: str
    """Whom to tell, as it goes on after "tell"."""


def hosted(host: str) -> Hosted | None:
    """Who runs *host*; None where nobody that is known here does."""
    labels = domain_text(host).split(".")
    for at in range(len(labels)):
        found = _BY_SUFFIX.get(".".join(labels[at:]))
        if found is not None:
            return found
    return None


_SUPPORT = "the support of {name}"
_MICROSOFT = (
    "mail.protection.outlook.com mx.microsoft olc.protection.outlook.com"
    " mail.protection.office365.us mail.protection.partner.outlook.cn"
)

# name, their ends of names, whom to tell.
_PROVIDERS: tuple[tuple[str, str, str], ...] = (
    ("Microsoft 365", _MICROSOFT, "Microsoft (admin.microsoft.com, Help & support)"),
    ("Google", "google.com googlemail.com smtp.goog", "Google (admin.google.com, Support)"),
    ("Proofpoint", "pphosted.com ppe-hosted.com", _SUPPORT),
    ("Mimecast", "mimecast.com mimecast.co.za", _SUPPORT),
    ("Barracuda", "ess.barracudanetworks.com", _SUPPORT),
    ("Cisco Secure Email", "iphmx.com", _SUPPORT),
    ("Broadcom (Symantec)", "messagelabs.com", _SUPPORT),
    ("Forcepoint", "mailcontrol.com", _SUPPORT),
    ("Trend Micro", "tmes.trendmicro.com tmes.trendmicro.eu", _SUPPORT),
    ("Sophos", "hydra.sophos.com", _SUPPORT),
    ("Hornetsecurity", "hornetsecurity.com antispameurope.com", _SUPPORT),
    ("N-able Mail Assure", "antispamcloud.com", _SUPPORT),
    ("Fortinet", "fortimailcloud.com", _SUPPORT),
    ("Cloudflare", "mx.cloudflare.net mxrecord.io", _SUPPORT),
    ("Zoho", "zoho.com zoho.eu zoho.in zoho.com.au zoho.jp", _SUPPORT),
    ("Fastmail", "messagingengine.com", _SUPPORT),
    ("Proton", "protonmail.ch", _SUPPORT),
    ("Tuta", "tutanota.de", _SUPPORT),
    ("mailbox.org", "mailbox.org", _SUPPORT),
    ("Migadu", "migadu.com", _SUPPORT),
    ("Forward Email", "forwardemail.net", _SUPPORT),
    ("ImprovMX", "improvmx.com", _SUPPORT),
    ("Rackspace", "emailsrvr.com", _SUPPORT),
    ("Namecheap", "privateemail.com", _SUPPORT),
    ("GoDaddy", "smtp.secureserver.net mailstore1.secureserver.net", _SUPPORT),
    (
        "IONOS",
        "ionos.com ionos.de ionos.co.uk ionos.fr ionos.es ionos.it kundenserver.de",
        _SUPPORT,
    ),
    ("STRATO", "rzone.de", _SUPPORT),
    ("OVHcloud", "mail.ovh.net", _SUPPORT),
    ("Gandi", "mail.gandi.net", _SUPPORT),
    ("Infomaniak", "mta-gw.infomaniak.ch", _SUPPORT),
    ("Hostinger", "hostinger.com", _SUPPORT),
    ("Apple iCloud", "mail.icloud.com", _SUPPORT),
    ("Yahoo", "yahoodns.net", _SUPPORT),
    ("Yandex", "yandex.net yandex.ru", _SUPPORT),
    ("VK (Mail.ru)", "mail.ru", _SUPPORT),
)

_BY_SUFFIX = {
    suffix: Hosted(name, tell.format(name=name))
    for name, suffixes, tell in _PROVIDERS
    for suffix in suffixes.split()
}
