"""
A store as a provider has it after 400 days: does it still answer, and take mail, as fast?

    python -m tests.bench.large /folder/with/room [--domains 10000] [--days 400]

The first run fills the database in that folder (10 GB and some ten minutes for the
whole of it), later ones use what is there. Every listing has to answer within 0.3 s
beyond what it takes with an empty store, and storing must be no slower than with one.
"""

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests import mails
from tests.bench.storing import app_in, store
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store import bind
from tlsrpt_mailer.store.sqlite import open_store

REPORTERS = ("google.com", "microsoft.com")
BEYOND = 0.3
RATIO = 0.5
ROUNDS = 5
FRESH = 2000
BROKEN = 300
LISTINGS = (
    "status",
    "failures",
    "failures --json",
    "causes",
    "causes --json",
    "reports",
    "reports --json --limit 50",
    "reports --json --limit 50 --domain d77.example",
    "alerts",
    "quarantine",
    "domains",
    "domains --json",
    "domains gaps",
    "domains gaps --json",
    "domains coverage",
    "domains coverage --json",
    "domains readiness",
    "canary",
)
GROUPS = 10
"""Of the domains, by the configuration."""

MAILS = """
INSERT INTO mails (id, sha256, source, taken_at, size, message_id, sender, subject, date,
                   outcome, reports, stored_at)
SELECT id, randomblob(32), 'imap:bench', at + 36000, 1900, '<' || id || '@' || reporter || '>',
       'noreply@' || reporter, 'Report Domain: ' || domain || ' Submitter: ' || reporter,
       at + 36000, 'stored', 1, at + 36000 FROM span"""
REPORTS = """
INSERT INTO reports (id, mail_id, status, digest, revision_key, reporter, organization_name,
                     submitter, report_id, contact_info, start_at, end_at, taken_at, date,
                     successful_sessions, failed_sessions, deviations, json)
SELECT id, id, 'counted', randomblob(32), randomblob(32), reporter, reporter, reporter,
       id || '_' || domain, 'tls@' || reporter, at - 86400, at - 1, at + 36000, at + 36000,
       100, 0, '[]', ?5 FROM span"""
POLICIES = """
INSERT INTO policies (id, report_id, position, policy_type, policy_domain, mode,
                      policy_string, mx_host, successful_sessions, failed_sessions)
SELECT id, id, 0, 'sts', domain, 'enforce', '["version: STSv1","mode: enforce"]',
       '["mx1.example.net"]', 100, 0 FROM span"""
WINDOWS = """
INSERT INTO windows (id, domain, reporter, start_at, end_at, report_id, received_at, date,
                     digest, successful, failed, total, sessions)
SELECT id, domain, reporter, at - 86400, at, id, at + 36000, at + 36000, randomblob(32),
       100, 0, 100, ?6 FROM span"""
PAIRS = """
INSERT INTO pairs SELECT domain, reporter, max(end_at) FROM windows GROUP BY domain, reporter"""
LOOKS = """
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?1)
INSERT INTO looks (domain, next_at, at, ok_at, record, record_at, sts, sts_id, dane, mx)
SELECT 'd' || n || '.example', ?2 + 3600, ?2 - 3600, ?2 - 3600,
       CASE n % 10 WHEN 0 THEN 'none' WHEN 1 THEN 'broken' ELSE 'right' END, ?2 - 86400 * 30,
       CASE n % 4 WHEN 0 THEN 'none' WHEN 1 THEN 'testing' ELSE 'enforce' END, '20261014',
       CASE n % 3 WHEN 0 THEN 'full' ELSE 'none' END, '["mx1.example.net","mx2.example.net"]'
FROM number"""
VOLUMES = """
INSERT INTO volumes SELECT domain, sum(total), sum(failed), count(DISTINCT reporter)
FROM windows WHERE end_at > ?1 GROUP BY domain"""
SPAN = """
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?1),
span (id, domain, reporter, at) AS (
  SELECT ?2 + n * 2 + who, 'd' || n || '.example', CASE who WHEN 0 THEN ?3 ELSE ?4 END, ?7
  FROM number JOIN (SELECT 0 AS who UNION ALL SELECT 1))
"""


def fill(path: Path, domains: int, days: int, now: Time) -> None:
    """Healthy days of every domain, as two reporters see them, in the order they came."""
    open_store(path, create=True).close()
    document = bind.pack(mails.document(mails.report(details=())))
    sessions = '[{"policy_type":"sts","successful":100,"failed":0,"mode":"enforce"}]'
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        indexes = conn.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for pragma in ("synchronous = OFF", "cache_size = -2000000", "journal_size_limit = 0"):
            conn.execute(f"PRAGMA {pragma}")
        for name, _ in indexes:
            conn.execute(f"DROP INDEX {name}")
        for day in range(days):
            at = now - now % DAY - (days - day) * DAY
            first = 1 + day * domains * len(REPORTERS)
            values = (domains, first, *REPORTERS, document, sessions, at)
            conn.execute("BEGIN IMMEDIATE")
            for insert in (MAILS, REPORTS, POLICIES, WINDOWS):
                conn.execute(insert.replace("INSERT", f"{SPAN} INSERT", 1), values)
            conn.execute("COMMIT")
        for _, sql in indexes:
            conn.execute(sql)
        conn.execute(PAIRS)
        conn.execute(LOOKS, (domains, now))
        conn.execute(VOLUMES, (now - 28 * DAY,))


def reports_of(domains: int, day: int, now: Time, *, broken: bool) -> list[bytes]:
    """Mails about one day, that many days ago: each of another domain, never the same ones."""
    date = datetime.fromtimestamp(now - day * DAY, UTC).date().isoformat()
    details = (mails.detail(mx="mx1.example.net"),) if broken else ()
    return [
        mails.mail(
            mails.report(
                f"d{n if broken else BROKEN + n}.example",
                date,
                details=details,
                mx=("mx1.example.net",),
                report_id=f"{now}_{day}_{broken}_{n}",
            )
        )
        for n in range(domains)
    ]


def seconds(config: Path, words: str) -> float:
    """How long a command takes, the best of some rounds."""
    command = [sys.executable, "-m", "tlsrpt_mailer", "-c", str(config), *words.split()]
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        best = min(best, time.perf_counter() - start)
        assert done.returncode in (0, 1), done.stderr.decode()
    return best


def compare_storing(folder: Path, domains: int, now: Time) -> float:
    """How much faster a full store takes mail than an empty one: healthy, then failing reports."""
    worst = float("inf")
    for broken in (False, True):
        made = reports_of(BROKEN if broken else min(domains - BROKEN, FRESH), 1, now, broken=broken)
        with tempfile.TemporaryDirectory() as empty, app_in(Path(empty)) as app:
            without = store(app, made)
        with app_in(folder) as app:
            full = store(app, made)
            start = time.perf_counter()
            app.review(now)
            app.compose(now, close_groups=True)
            judged = time.perf_counter() - start
        worst = min(worst, full / without)
        sys.stdout.write(
            f"{'failing' if broken else 'healthy'} reports: empty {without:.0f}/s,"
            f" full {full:.0f}/s, ratio {full / without:.2f};"
            f" then review and compose {judged:.2f} s\n"
        )
    return worst


def stanzas(folder: Path, domains: int) -> str:
    """Every domain is named, in one group or another."""
    text = ""
    for group in range(GROUPS):
        names = "\n".join(f"d{n}.example" for n in range(group, domains, GROUPS))
        (folder / f"group{group}.txt").write_text(f"{names}\n")
        text += f'[[domains]]\nfile = "group{group}.txt"\ngroup = "group {group}"\n'
    return text


def compare_listings(folder: Path, domains: int) -> int:
    """How many listings take too long beside an empty store, for which no domain is named."""
    slow = 0
    with tempfile.TemporaryDirectory() as empty:
        open_store(Path(empty) / "tlsrpt.db", create=True).close()
        configs = [Path(empty) / "config.toml", folder / "config.toml"]
        for config in configs:
            storage = f'[storage]\npath = "{config.parent / "tlsrpt.db"}"\n'
            config.write_text(f'{storage}[trust]\ndkim = "off"\n')
        with configs[1].open("a") as file:
            file.write(stanzas(folder, domains))
        for listing in LISTINGS:
            base, took = (seconds(config, listing) for config in configs)
            slow += took - base > BEYOND
            sys.stdout.write(f"{took - base:6.3f} s beyond {base:.2f} s: {listing}\n")
    return slow


def main() -> None:
    """Fill, store, list."""
    words = argparse.ArgumentParser()
    words.add_argument("folder", type=Path)
    words.add_argument("--domains", type=int, default=10_000)
    words.add_argument("--days", type=int, default=400)
    given = words.parse_args()
    folder: Path = given.folder
    now = int(time.time())
    database = folder / "tlsrpt.db"
    if not database.exists():
        start = time.perf_counter()
        fill(database, given.domains, given.days, now)
        sys.stdout.write(f"filled in {time.perf_counter() - start:.0f} s\n")
    sys.stdout.write(f"{database.stat().st_size / 1e9:.1f} GB\n")
    ratio = compare_storing(folder, given.domains, now)
    slow = compare_listings(folder, given.domains)
    sys.exit(slow > 0 or ratio < RATIO)


if __name__ == "__main__":
    main()
