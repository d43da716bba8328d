"""`kill -9` at random instants, and what must be there in the end."""
