"""Measures from outside: a page in a browser, the tasks in the trace of the engine."""
