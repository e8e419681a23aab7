"""The project that the unit tests open, and the names of some of its images."""

from __future__ import annotations

MINIMAL = "minimal-debian12-py311-cpu-inference"
SKLEARN = "sklearn-1.9-debian12-py311-cpu-inference"
