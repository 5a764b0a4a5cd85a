"""The published uncertainties on the signal, for the table."""

from __future__ import annotations

# arXiv:1806.04743, table 1: by how the events were summarised, for BM0 to BM4
LIKELIHOOD = (14.71, 15.52, 15.65, 15.62, 16.89)
OPTIMAL_CLASSIFIER = (14.97, 19.12, 24.93, 22.13, 27.98)
CROSS_ENTROPY = (14.99, 18.94, 23.94, 21.54, 26.71)
# by the benchmark that the network was trained for
INFERNO = {
    "BM0": (15.51, 18.34, 23.24, 21.38, 26.38),
    "BM1": (15.80, 16.79, 21.41, 20.29, 24.26),
    "BM2": (15.71, 16.87, 16.95, 16.88, 18.67),
    "BM3": (15.70, 16.91, 16.97, 16.89, 18.69),
    "BM4": (15.71, 16.89, 16.95, 16.88, 18.68),
}
