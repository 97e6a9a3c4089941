"""How many patients and sections a study needs."""
