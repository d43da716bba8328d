"""How fast it is, as ratios to what others do in the same run. By hand: python -m tests.bench.X"""
