"""Real servers in throw-away folders."""
