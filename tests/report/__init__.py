"""Tests of tlsrpt_mailer.report."""
