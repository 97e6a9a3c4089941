"""What stands beside the tests: other choices, other explanations, other scales."""
