"""Tests of tlsrpt_mailer.trust."""
