"""The ring engine: many held sessions as NumPy arrays, heartbeats and answers in batches through memory-mapped rings.

What is not the steady state leaves the arrays for the sans-IO machine in core (`visits`).
"""
