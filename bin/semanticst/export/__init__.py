"""Files for other programs: niches of each section in the form that a viewer reads."""
