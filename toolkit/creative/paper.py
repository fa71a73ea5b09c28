"""Table 1 of "Toward a neuro-inspired creative decoder" as data: what people said of the pictures, and D_r."""

from typing import NamedTuple


class Row(NamedTuple):
    """Shares of the pictures that at least three of nine annotators agreed on, and the mean reconstruction distance."""

    creative: float
    novel: float  # but not creative
    neither: float
    inconclusive: float
    distance: float


TABLE1 = {
    "mnist": {
        "low-active": Row(0.39, 0.50, 0.11, 0.00, 4.87),
        "noisy": Row(0.17, 0.07, 0.76, 0.00, 1.78),
        "random": Row(0.24, 0.46, 0.30, 0.00, 4.21),
        "regular": Row(0.10, 0.03, 0.85, 0.01, 1.45),
    },
    "fashion": {
        "low-active": Row(0.27, 0.52, 0.14, 0.07, 5.49),
        "noisy": Row(0.19, 0.09, 0.71, 0.01, 1.91),
        "random": Row(0.17, 0.62, 0.16, 0.06, 4.93),
        "regular": Row(0.13, 0.08, 0.76, 0.03, 1.22),
    },
    "mnist+fashion": {
        "low-active": Row(0.26, 0.54, 0.17, 0.04, 4.91),
        "noisy": Row(0.25, 0.22, 0.51, 0.01, 1.97),
        "random": Row(0.19, 0.61, 0.15, 0.05, 4.68),
        "regular": Row(0.23, 0.17, 0.55, 0.05, 1.59),
    },
}
RANDOM = TABLE1["mnist"]["random"].distance  # what the gain is chosen by
NOISY = TABLE1["mnist"]["noisy"].distance / TABLE1["mnist"]["regular"].distance  # and the noise
