"""Compares the time, CPU and memory of cancelling with other clients.

Run `python -m benchmarks`; `README.md` describes each benchmark.
"""
