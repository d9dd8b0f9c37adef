"""Datasets: reading, checking, cleaning, splitting, and a built-in demo terrain. NumPy and Pillow only."""
