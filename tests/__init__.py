"""The tests of tlsrpt-mailer."""
