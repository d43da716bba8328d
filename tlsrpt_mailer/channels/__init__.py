"""Where alerts go: one module a kind."""
