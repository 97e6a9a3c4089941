"""What tables of users must look like: delimited text, and the schemas that it is checked against."""
