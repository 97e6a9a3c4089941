"""Material of benchmarks: simulated counts, folders as instruments write them."""
