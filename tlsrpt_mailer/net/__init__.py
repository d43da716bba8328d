"""What is asked of the network: DNS."""
