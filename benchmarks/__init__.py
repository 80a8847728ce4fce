"""How much time, CPU and memory cancelling takes, side by side with other clients.

Run by `python -m benchmarks`; `README.md` says what each benchmark measures.
"""
