"""The studies, benchmarks and claims that maintainers run. Nothing of the library imports them."""
