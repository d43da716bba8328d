"""Judge again what is open: time alone changes states (stale, closed, lapsed acknowledgements)."""

from tlsrpt_mailer.flows.judging import Standing, judge_domains
from tlsrpt_mailer.ports import Store
from tlsrpt_mailer.report.times import Time

CHUNK = 200
"""Domains judged in one transaction, so that mails that come in wait for no long review."""


def review(store: Store, standing: Standing, now: Time) -> int:
    """Judge every domain with an open failure at *now*; returns how many domains that were."""
    with store.write() as txn:
        domains = txn.open_domains()
    for first in range(0, len(domains), CHUNK):
        with store.write() as txn:
            judge_domains(txn, domains[first : first + CHUNK], standing, now)
    return len(domains)
