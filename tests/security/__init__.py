"""Fewest rights: no shell, private files, secrets that are told to nobody."""
