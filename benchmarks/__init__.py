"""Benchmarks that time this project and its rivals side by side: ``python -m benchmarks --help``.

A benchmark is a module of this folder with a function ``comparisons(size)``, where size is "quick" or "full".
"""
