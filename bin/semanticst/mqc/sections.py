"""Parts of the report, their sections, columns of tables."""

import html
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A chapter of the report; it holds sections."""

    id: str
    title: str
    text: str


SUMMARY = Part("summary", "Summary", "")
QC = Part("qc", "Quality control", "Which cells and samples went into the analysis, and what was left out.")
INTEGRATION = Part(
    "integration",
    "Integration of the cohort",
    "How the samples were brought into one common space, so that a niche means the same in every patient.",
)
NICHES = Part(
    "niches",
    "Tissue niches",
    "A niche is a kind of neighbourhood that recurs in the tissue. Niches are numbered by size (Niche 1 is the "
    "largest, among the model's own samples where these were mapped onto a model) and keep one colour throughout this "
    "report.",
)
PLANTED = Part(
    "planted",
    "Ground truth and result",
    "This cohort is simulated, so the right answer is known. Here is what was planted and what the pipeline found.",
)
ASSOCIATION = Part(
    "association",
    "Niches and clinical outcome",
    "Whether niches are associated with the clinical variables. All tests compare patients, never single cells.",
)
METHODS = Part("methods", "Methods", "What was run, with which settings, and what to cite.")

PARTS = (SUMMARY, QC, INTEGRATION, NICHES, PLANTED, ASSOCIATION, METHODS)


@dataclass(frozen=True)
class Section:
    """A piece of the report.

    ``id`` is unique in the report and names the file. ``text`` stands above the figure and says in plain words what
    it shows and how to read it; ``help`` opens on a click.
    """

    id: str
    part: Part
    title: str
    text: str = ""
    help: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table: heading, explanation on hover, and how values are shown.

    ``format`` is a Python format such as ``{:.2f}`` or ``{:,d}``; ``low`` and ``high`` are the ends of the bar behind
    the number, drawn when ``scale`` names a colour scale (``Blues``, ``RdBu``, ...). A hidden column can be switched on
    in the report.
    """

    title: str
    text: str = ""
    format: str | None = None
    suffix: str = ""
    scale: str | None = None
    low: float | None = None
    high: float | None = None
    hidden: bool = False

    @property
    def is_per_cent(self) -> bool:
        """Whether the values are proportions, shown as ``18 %`` as in all texts (Python would write ``18%``)."""
        return self.format is not None and self.format.endswith("%}")


class Html(str):
    """Text that is HTML already and must not be escaped.

    It stays so when text is added to it, or it to text: what is no `Html` is escaped then. A format or ``str.join``
    gives a plain text, which is escaped as a whole.
    """

    __slots__ = ()

    def __add__(self, other: str) -> "Html":
        return Html(str(self) + str(markup(other)))

    def __radd__(self, other: str) -> "Html":
        return markup(other) + self


def escaped(text: str) -> str:
    """The text in which nothing is markup.

    Quotation marks are numbers and no names: plotly, which draws the figures, knows few names and shows ``&quot;``.
    """
    return html.escape(text).replace("&quot;", "&#34;")


_EMPHASIS = re.compile(r"&lt;(/?(?:b|i|em|code|br))&gt;")


def markup(text: str) -> Html:
    """Text as HTML in which nothing is markup, but for what is `Html` already.

    Titles, texts and labels pass through here whoever wrote them: a group called like a script, or like ``<b>``, stays
    a word.
    """
    return text if isinstance(text, Html) else Html(escaped(str(text)))


def emphasised(text: str, **names: str) -> Html:
    """Words of the pipeline in which ``<b>``, ``<i>``, ``<em>``, ``<code>`` and ``<br>``, bare, are emphasis.

    Words of users must not be in ``text``: they are ``names``, filled in where ``{name}`` stands, and no markup.
    """
    own = _EMPHASIS.sub(r"<\1>", escaped(text))
    return Html(own.format(**{name: markup(value) for name, value in names.items()}) if names else own)


def swatch(colour: str) -> Html:
    """Return a small square in ``colour`` (hex), for a table cell or a text."""
    return Html(
        f'<span style="display:inline-block;width:1em;height:1em;border-radius:2px;vertical-align:-0.12em;'
        f'background:{colour}"></span>'
    )
