"""Where mails come from: one module a kind."""
