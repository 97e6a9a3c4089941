"""Input of users, and the project's internal form of a sample."""
