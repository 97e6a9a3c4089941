"""What benchmarks are made on: simulated counts, folders as instruments write them."""
