"""The windows behind a failure, with what their reports say, as an alert shows them."""

import sqlite3
from collections import Counter
from collections.abc import Iterable

import msgspec

from tlsrpt_mailer.failures.identity import folding, rows_of
from tlsrpt_mailer.failures.model import Identity, Verdict, Window
from tlsrpt_mailer.failures.windows import FOLDED, effective
from tlsrpt_mailer.ports import Evidence
from tlsrpt_mailer.store.judging import windows

MOST_ADDRESSES = 8
MOST_REASONS = 4

_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode


class _Policy(msgspec.Struct, frozen=True):
    id: int
    mode: str | None
    policy_string: tuple[str, ...]
    mx_host: tuple[str, ...]


class EvidenceReader:
    """Reads evidence within one transaction, each domain's windows once."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._failed: dict[str, list[tuple[Window, dict[tuple[str, str, str | None], int]]]] = {}

    def of(self, verdict: Verdict, limit: int) -> list[Evidence]:
        """
        The newest windows of reporters that saw the failure in its present incident.

        Failing and clean ones; those that say nothing (no session got in, none
        failed by this) are left out. Newest first, *limit* at most.
        """
        identity = verdict.identity
        key = (identity.policy_type, identity.result_type, identity.mx)
        reporters = {witness.reporter for witness in verdict.witnesses}
        rows = [
            (window, failed.get(key, 0))
            for window, failed in self._windows(identity.domain)
            if window.reporter in reporters
        ]
        telling = [
            (window, failed)
            for window, failed in rows
            if failed or any(one.successful for one in window.sessions)
        ]
        return [self._one(window, failed, identity) for window, failed in telling[:limit]]

    def _windows(self, domain: str) -> list[tuple[Window, dict[tuple[str, str, str | None], int]]]:
        if domain not in self._failed:
            counted = effective(windows(self._conn, [domain])[domain])
            counted.sort(key=lambda one: (one.end, one.start, one.reporter), reverse=True)
            known = self._known(domain)
            fold = folding(counted, known)
            self._failed[domain] = [
                (
                    window,
                    {
                        (row.policy_type, row.result_type, row.mx): row.sessions
                        for row in rows_of(window, fold.of(known=window.reporter in known))
                    },
                )
                for window in counted
            ]
        return self._failed[domain]

    def _known(self, domain: str) -> frozenset[str]:
        """Those whom the verdicts on the domain's failures call known."""
        rows = self._conn.execute(
            "SELECT DISTINCT json_extract(one.value, '$.reporter')"
            " FROM failures, json_each(CAST(failures.verdict AS TEXT), '$.witnesses') AS one"
            " WHERE failures.domain = ? AND json_extract(one.value, '$.known')",
            (domain,),
        )
        return frozenset(reporter for (reporter,) in rows)

    def _one(self, window: Window, failed: int, identity: Identity) -> Evidence:
        sessions = sum(
            one.successful + one.failed
            for one in window.sessions
            if one.policy_type == identity.policy_type
        )
        organization = self._conn.execute(
            "SELECT organization_name, trust FROM reports WHERE id = ?", (window.report,)
        ).fetchone()
        policies = self._policies(window, identity)
        first = policies[0] if policies else _Policy(0, None, (), ())
        details = self._details(policies, identity) if failed else []
        return Evidence(
            reporter=window.reporter,
            organization=organization[0] if organization else None,
            start=window.start,
            end=window.end,
            received=window.received,
            sessions=sessions,
            failed=failed,
            report=window.report,
            ips=_most((ip, count) for ip, _, _, _, count in details),
            sending_ips=_most((ip, count) for _, ip, _, _, count in details),
            reasons=_reasons((reason, name) for _, _, reason, name, _ in details),
            mode=first.mode,
            policy_string=first.policy_string,
            mx_host=first.mx_host,
            trust=organization[1] if organization else None,
        )

    def _policies(self, window: Window, identity: Identity) -> list[_Policy]:
        """The policies of the window's report that the failure may stand under."""
        rows = self._conn.execute(
            "SELECT id, mode, policy_string, mx_host FROM policies"
            " WHERE report_id = ? AND policy_domain = ? AND policy_type = ? ORDER BY position",
            (window.report, identity.domain, identity.policy_type),
        ).fetchall()
        return [
            _Policy(policy, mode, _decode_texts(policy_string), _decode_texts(mx_host))
            for policy, mode, policy_string, mx_host in rows
        ]

    def _details(
        self, policies: Iterable[_Policy], identity: Identity
    ) -> list[tuple[str | None, str | None, str | None, str | None, int]]:
        """(receiving IP, sending IP, reason, class, sessions), most sessions first."""
        rows: list[tuple[str | None, str | None, str | None, str | None, int]] = []
        mx = None if identity.mx in FOLDED else identity.mx
        for policy in policies:
            # A row without a host belongs to the policy's only MX, or joined
            # the one that is named beside it.
            rows += self._conn.execute(
                "SELECT receiving_ip, sending_mta_ip, failure_reason_code, reason_class,"
                " failed_sessions FROM details WHERE policy_id = ?1 AND failed_sessions > 0"
                " AND (result_type = ?2"
                " AND (?3 IS NULL OR coalesce(receiving_mx_hostname, ?3) = ?3)"
                " OR ?3 IS NOT NULL AND receiving_mx_hostname IS NULL"
                " AND result_type = 'validation-failure')",
                (policy.id, identity.result_type, mx),
            ).fetchall()
        return sorted(rows, key=lambda row: (-row[4], row[0] or "", row[1] or "", row[2] or ""))


def _most(rows: Iterable[tuple[str | None, int]]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for name, count in rows:
        if name:
            counts[name] += count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ranked[:MOST_ADDRESSES])


def _reasons(rows: Iterable[tuple[str | None, str | None]]) -> tuple[tuple[str, str], ...]:
    found = dict.fromkeys((reason, name or "unclassified") for reason, name in rows if reason)
    return tuple(found)[:MOST_REASONS]
