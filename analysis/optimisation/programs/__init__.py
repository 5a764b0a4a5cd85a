"""What is compiled for the optimisation, for one shard or for many, and while something else goes on."""

from __future__ import annotations
