"""What the daemon believes in a run, and what it is fed."""

from collections.abc import Sequence

from tests.e2e.daemon import Site
from tests.kill.cargo import Cargo, cargo
from tests.kill.moments import KINDS


class Setting:
    """Everything is believed; another one overrides."""

    config = ""
    """More tables of the configuration, as TOML."""

    def cargo(self, count: int) -> Cargo:
        """*count* mails, and what has to become of them."""
        return cargo(count)

    def before(self, site: Site, number: int, kills: int) -> None:
        """Called before the daemon starts that is killed as *number* of *kills*, from 0 on."""

    def kinds(self, number: int, kills: int) -> Sequence[str]:
        """The instants of `moments` of which one is drawn for that kill."""
        return KINDS

    def nudge(self, site: Site) -> None:
        """Called again and again until all is in: do what time would."""
