"""Description of niches: composition, markers, neighbourhood, fragmentation, gene sets."""
