"""Servers, relays, DNS and clocks on bad days."""
