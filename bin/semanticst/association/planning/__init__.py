"""Planning of studies: patients and sections that a study needs."""
