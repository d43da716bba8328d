"""What a process leaves, shows and hands on."""

from tests.unmeasured import children_unmeasured

__all__ = ["children_unmeasured"]
