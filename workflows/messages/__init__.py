"""What people read: progress, messages and failures, in which text is only text and secrets stay out."""

from __future__ import annotations
