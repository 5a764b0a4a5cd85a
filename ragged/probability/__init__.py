"""What independent passes of a row's objects add up to, running reductions, and smooth orders."""

from __future__ import annotations
