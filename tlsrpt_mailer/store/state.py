"""How the program itself is doing: sources, jobs and single facts."""

from collections.abc import Collection

from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import text, text_or_none
from tlsrpt_mailer.store.connection import Writer


class SqliteState:
    """Small rows about the daemon, for `status`; each call is its own transaction."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def save_source(
        self,
        name: str,
        *,
        state: str,
        since: Time,
        detail: str | None = None,
        error: str | None = None,
        tries: int = 0,
        next_try: Time | None = None,
        warning: str | None = None,
        backlog: int = 0,
    ) -> None:
        """How a source is doing now: *state* is starting, ok or trouble."""
        row = (
            text(name),
            state,
            since,
            text_or_none(detail),
            text_or_none(error),
            tries,
            next_try,
            text_or_none(warning),
            backlog,
        )
        with self._writer.transaction() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO sources (name, state, since, detail, error, tries,"
                " next_try, warning, backlog) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def keep_sources(self, names: Collection[str]) -> None:
        """Forget the health of sources that are configured no more."""
        with self._writer.transaction() as conn:
            there = {name for (name,) in conn.execute("SELECT name FROM sources")}
            gone = there - {text(name) for name in names}
            conn.executemany("DELETE FROM sources WHERE name = ?", [(name,) for name in gone])

    def job_runs(self) -> dict[str, Time]:
        """When each job ran last."""
        with self._writer.reading() as conn:
            return dict(conn.execute("SELECT name, last_at FROM job_runs").fetchall())

    def job_errors(self) -> dict[str, str]:
        """The jobs whose last run failed, with the error."""
        with self._writer.reading() as conn:
            rows = conn.execute("SELECT name, error FROM job_runs WHERE error IS NOT NULL")
            return dict(rows.fetchall())

    def save_job_run(self, name: str, at: Time, error: str | None = None) -> None:
        """A job ran, with its error if it had one."""
        with self._writer.transaction() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO job_runs (name, last_at, error) VALUES (?, ?, ?)",
                (name, at, text_or_none(error)),
            )

    def fact(self, name: str) -> str | None:
        """A single thing that was remembered under *name*."""
        with self._writer.reading() as conn:
            row = conn.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def save_fact(self, name: str, value: str) -> None:
        """Remember *value* under *name*."""
        with self._writer.transaction() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, text(value))
            )

    def newest(self) -> Time | None:
        """The latest time the store has heard of from this program, for `--now` that goes back."""
        with self._writer.reading() as conn:
            (time,) = conn.execute(
                "SELECT max(at) FROM (SELECT max(last_at) AS at FROM job_runs UNION ALL"
                " SELECT stored_at FROM (SELECT stored_at FROM mails ORDER BY id DESC LIMIT 1))"
            ).fetchone()
        return time if time is None else int(time)
