"""What "Generative Kaleidoscopic Networks" (2024) and its code report, as far as they report numbers."""

# The loss of digits, L=10 and H=500, at every thousandth step (the published notebook).
LOSSES = {
    0: 0.93, 1000: 0.141, 2000: 0.115, 3000: 0.097, 4000: 0.085, 5000: 0.0755, 6000: 0.072, 7000: 0.070, 8000: 0.066,
    9000: 0.064,
}  # fmt: skip
