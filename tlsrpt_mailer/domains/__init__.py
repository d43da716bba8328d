"""What is known of domains: their records, and whose they are. Pure."""
