"""Blocks of a page that is more than one table or figure: sentences, lists, links, pictures side by side.

All of them take plain text, which is escaped as `markup` does it, and return `Html`.
"""

import html
from collections.abc import Sequence
from pathlib import Path

from semanticst.mqc.packed_picture import picture_address
from semanticst.mqc.sections import Html, markup


def sentences(text: str, heading: str = "") -> Html:
    """A paragraph, after a heading in bold."""
    head = f"<b>{markup(heading)}.</b> " if heading else ""
    return Html(f"<p>{head}{markup(text)}</p>")


def bullets(items: Sequence[str]) -> Html:
    """A list; empty without items."""
    return Html(f"<ul>{''.join(f'<li>{markup(item)}</li>' for item in items)}</ul>" if items else "")


def link(anchor: str, words: str) -> Html:
    """A link to a section of the report by its id."""
    return Html(f'<a href="#{html.escape(anchor)}">{markup(words)}</a>')


def outside(address: str, words: str) -> Html:
    """A link to another file of the run, by its address relative to the report."""
    return Html(f'<a href="{html.escape(address)}">{markup(words)}</a>')


def joined(parts: Sequence[str], between: str = " ") -> Html:
    """Parts one after the other; what is no `Html` is escaped."""
    return Html(between.join(markup(part) for part in parts))


def pictures(files: Sequence[tuple[str, Path]]) -> Html:
    """PNG files side by side, each with its caption, which also says what it shows to those who cannot see it."""
    figures = []
    for caption, png in files:
        words = html.escape(caption)
        image = f'<img alt="{words}" src="{picture_address(png)}" />'
        figures.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")
    return Html(f'<div class="summary-figures">{"".join(figures)}</div>' if figures else "")


def small_table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> Html:
    """A table without the machinery of large ones: a few rows that are read, and printed, as they stand."""
    cells = "".join(f"<th>{markup(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{markup(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return Html(f'<table class="summary-table"><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>')
