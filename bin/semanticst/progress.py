"""Progress of a long step: a bar on a terminal, elsewhere a line of log a minute, with the time left.

Nothing is written of what takes less than a minute, so that the log of short steps stays readable.
"""

import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

log = logging.getLogger(__name__)

Item = TypeVar("Item")

EVERY = 60.0
"""Seconds between two lines."""


class Progress:
    """Progress of ``total`` pieces of work (None: not known), as a context manager.

    ``advance`` counts finished pieces; ``note`` is what else a line says (the loss of a training). Lines come from a
    thread of their own: also while one piece takes long. Any thread may call ``advance``.
    """

    def __init__(self, title: str, total: int | None = None):
        self.title, self.total, self.done, self.note = title, total, 0, ""
        self._bar: tqdm | None = None
        self._finished = threading.Event()
        self._counting = threading.Lock()

    def __enter__(self) -> "Progress":
        self._began = time.monotonic()
        if sys.stderr.isatty():
            self._bar = tqdm(total=self.total, desc=self.title)
        else:
            threading.Thread(target=self._write_lines, name=f"progress of {self.title}", daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._finished.set()
        if self._bar is not None:
            self._bar.close()

    def advance(self, pieces: int = 1) -> None:
        with self._counting:
            self.done += pieces
            if self._bar is not None:
                self._bar.set_postfix_str(self.note, refresh=False)
                self._bar.update(pieces)

    def line(self, seconds: float) -> str:
        """What is said after ``seconds`` of work."""
        of = "" if self.total is None else f" of {self.total}"
        parts = [f"{self.title}: {self.done}{of}", f"{_clock(seconds)} passed"]
        if self.total and self.done:
            parts.append(f"about {_clock(seconds * (self.total - self.done) / self.done)} left")
        return ", ".join([*parts, self.note] if self.note else parts)

    def _write_lines(self) -> None:
        while not self._finished.wait(EVERY):
            log.info("%s", self.line(time.monotonic() - self._began))


def progress(items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
    """``items`` one after the other, with progress under ``title``; ``total`` where ``items`` have no length."""
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    with Progress(title, total) as counted:
        for item in items:
            yield item
            counted.advance()


def _clock(seconds: float) -> str:
    """``75`` -> ``1:15``, ``3675`` -> ``1:01:15``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
