"""Features of GeoJSON files, which hold a gigabyte where they outline the cells of a section."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

from semanticst.io.readers.files import open_text

BLOCK = 1 << 22
"""Characters that are parsed at once."""
BETWEEN = " \t\r\n,"
"""Letters between features."""


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
    text = ""
    while block := stream.read(BLOCK):
        text += block
        if text.lstrip().startswith("["):
            return text.lstrip()[1:], True
        key = text.find('"features"')
        bracket = text.find("[", key) if key >= 0 else -1
        if bracket >= 0:
            return text[bracket + 1 :], True
    return text, False
