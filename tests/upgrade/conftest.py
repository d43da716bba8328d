"""Databases of older versions."""

from tests.unmeasured import children_unmeasured

__all__ = ["children_unmeasured"]
