"""Tests of tlsrpt_mailer.intake."""
