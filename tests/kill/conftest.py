"""Daemons and commands that are killed."""

from tests.unmeasured import children_unmeasured

__all__ = ["children_unmeasured"]
