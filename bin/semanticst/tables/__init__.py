"""Tables of users: delimited text, and the schemas that it is checked against."""
