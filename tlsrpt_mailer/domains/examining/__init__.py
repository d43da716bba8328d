"""What `examine` goes through, a file a subject."""
