"""What is done again and again, and all of it once."""

import time

import msgspec

from tlsrpt_mailer import wiring
from tlsrpt_mailer.config.model import Config
from tlsrpt_mailer.errors import TlsrptError
from tlsrpt_mailer.flows.deliver import SendResult
from tlsrpt_mailer.flows.health import Beats, SourceHealth, SourceState, holds_back
from tlsrpt_mailer.jobs import long_table, outside_table, run_due, table
from tlsrpt_mailer.ports import Letter
from tlsrpt_mailer.report.times import Time


class OnceResult(msgspec.Struct, frozen=True):
    """What one tick did."""

    letters: tuple[Letter, ...]
    sent: SendResult
    problems: tuple[str, ...]
    """Sources that could not be read, in words."""


def once(config: Config, now: Time | None = None, *, force: bool = False) -> OnceResult:
    """Drain every source, judge, compose with all groups closed, and deliver once."""
    app = wiring.open_app(config, holder=True, now=now, force=force)
    beats = Beats(time.monotonic)
    problems: list[str] = []
    states: list[SourceState] = []
    try:
        app.look_at_clock()
        found = wiring.sources(app)
        app.forget_sources({source.name for source in found})
        app.save_worker("once")
        for source in found:
            health = SourceHealth(source.name, beats, app.clock)
            try:
                source.drain(app.deliver, health)
                health.fine(health.state.detail or "")
            except TlsrptError as error:
                health.trouble(str(error))
                problems.append(f"{source.name}: {error}")
            finally:
                source.close()
            app.save_source(health.state)
            states.append(health.state)
        app.find_out_all()
        app.review(app.clock())
        # What follows from a jump of the clock alone is for the next run to tell.
        settled = app.is_clock_settled
        letters = app.compose(app.clock(), close_groups=True) if settled else []
        sent = app.send_due(app.clock())
        run_due([*table(app), *outside_table(app), *long_table(app)], app, idle=settled)
        # What the jobs wrote: trouble of the relay goes out by other ways.
        sent += app.send_due(app.clock())
        app.ping(states)
        return OnceResult(tuple(letters), sent, tuple(problems))
    finally:
        app.close()


def tick(app: wiring.App, states: list[SourceState], beats: Beats | None = None) -> None:
    """
    The work of every few seconds: jobs that are due, then the alerts, by the app's clock.

    Args:
        states: How the sources are doing; alerts wait while one works through a backlog.

    Raises:
        Temporary: The database cannot be used now; all of it is tried again at the next one.
    """
    idle = not holds_back(states, app.clock()) and not app.is_importing()
    idle = idle and app.is_clock_settled
    starting = any(state.state == "starting" for state in states)
    run_due(table(app), app, beats, idle=idle and not starting)
    now = app.clock()
    # A job may have begun to read held mails again.
    if idle and not app.is_importing():
        app.compose_in_turn(now)
