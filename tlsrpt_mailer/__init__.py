"""Receive SMTP TLS reports (RFC 8460) and tell the person who can mend what broke."""

__version__ = "0.1.0"
