"""The explorer: a page that opens by a double click, and a script file with the cells of each section."""
