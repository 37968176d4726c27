"""The mathematics of the metrics: pure functions, a file for each family."""
