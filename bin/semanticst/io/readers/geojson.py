"""Features of GeoJSON files, which hold a gigabyte where they outline the cells of a section."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

from semanticst.io.readers.files import open_text

BLOCK = 1 << 22
"""Characters that are parsed at once."""
BETWEEN = " \t\r\n,"
"""Letters between features."""
KEY = '"features"'
"""Of the collection itself: metadata may have a key of the same name."""
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|["\[\]{}]', re.DOTALL)
"""What tells how deep a key lies; a quotation mark alone begins a string that is not whole."""
MOST_SPACE = 1000
NO_SPACE = str.maketrans("", "", " \t\r\n")


def features_of(file: Path) -> Iterator[dict]:
    """Features of a collection or a list one by one, of which one and a block of text are held; or the only one.

    Raises ValueError when the file ends before the list is closed, and when it is no JSON.
    """
    decoder = json.JSONDecoder()
    with open_text(file) as opened:
        stream = io.TextIOWrapper(opened, encoding="utf-8")
        text, listed = _start(stream)
        if not listed:
            feature = json.loads(text)
            if not isinstance(feature, dict) or not feature.keys() & {"geometry", "coordinates", "geometries"}:
                raise ValueError("there is no list of features")
            yield feature
            return
        at = 0
        while True:
            while at < len(text) and text[at] in BETWEEN:
                at += 1
            if text.startswith("]", at):
                return
            try:
                feature, at = decoder.raw_decode(text, at)
            except ValueError:
                more = stream.read(BLOCK)
                if not more:
                    raise ValueError("it ends inside the list of features") from None
                text, at = text[at:] + more, 0
                continue
            if isinstance(feature, dict):
                yield feature


def _start(stream: io.TextIOWrapper) -> tuple[str, bool]:
    """The text behind the bracket that opens the list of features; or the whole text where there is none."""
    text, at, depth = "", 0, 0
    while block := stream.read(BLOCK):
        text += block
        if text.lstrip().startswith("["):
            return text.lstrip()[1:], True
        while found := TOKEN.search(text, at):
            token = found[0]
            if token == '"':
                break  # the text ends inside a string
            if depth == 1 and token == KEY:
                behind = text[found.end() : found.end() + MOST_SPACE].translate(NO_SPACE)
                if behind in ("", ":"):
                    break
                if behind.startswith(":["):
                    return text[text.index("[", found.end()) + 1 :], True
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token, 0)
            at = found.end()
    return text, False
