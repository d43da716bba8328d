"""Tests of the flows, over a real store."""
