"""Messages of the launcher to its user: on stderr, so that the output of a command stays its own."""

import sys


class SetupError(Exception):
    """Something that the launcher needs cannot be had. The message says what, and what to do about it."""


class NoPlace(Exception):
    """A folder that a run has to write into takes nothing. The message says which, and why."""


class UsageError(Exception):
    """The command line makes no sense."""


def say(text: str) -> None:
    """Print ``text`` on stderr under the launcher's name."""
    print(f"[semanticst] {text}", file=sys.stderr, flush=True)
