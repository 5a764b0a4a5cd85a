"""What is wrong with an analysis, told before it is optimised."""

from __future__ import annotations

from .diagnosis import Diagnosis as Diagnosis
from .diagnosis import Finding as Finding
from .diagnosis import Severity as Severity
from .examination import check as check
