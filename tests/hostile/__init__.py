"""Mails made to exhaust or to fool us, and what they must not achieve."""
