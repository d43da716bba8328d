"""Who wrote a report, and what that is worth. Pure."""
