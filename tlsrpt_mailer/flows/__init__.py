"""What happens, step by step, over ports; never an adapter."""
