"""That Are Not: machines that make images their training data does not contain."""

__version__ = "0.1.0"
