"""What a niche is: composition, markers, neighbourhood, fragmentation, gene sets."""
