"""The listener under attack: real sockets, and an honest sender who has to get in meanwhile."""
