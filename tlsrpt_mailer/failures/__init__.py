"""What reports say of failures: windows, identity, state, severity. Pure."""
