"""Metro map of the pipeline: every process is a station, drawn from this table as metro_map.svg beside it.

A test compares the stations with the modules, and the picture with what this script draws. After a change:
``./semanticst python docs/images/metro_map.py``.
"""

from html import escape
from pathlib import Path

LINES = {
    "samples": ("#0072B2", "each sample"),
    "cohort": ("#009E73", "the cohort"),
    "outcome": ("#CC79A7", "niches and outcome"),
    "files": ("#E69F00", "objects and files"),
    "report": ("#56B4E9", "report"),
}
STATIONS = {
    # process: (column, row, words below)
    "COHORT_SIMULATE": (0, 0, "simulated cohort"),
    "SAMPLESHEET_CHECK": (1, 1, "tables checked"),
    "SAMPLE_INGEST": (2, 1, "any format read"),
    "SAMPLE_QC": (3, 1, "cells judged"),
    "COHORT_FEATURES": (4, 1, "components, Harmony"),
    "GRAPH_BUILD": (5, 1, "semantic graphs"),
    "MODEL_TRAIN": (6, 1, "one network"),
    "MODEL_EMBED": (7, 1, "embedding"),
    "MODEL_DENOISE": (8, 0, "denoised values"),
    "NICHE_CLUSTER": (8, 1, "niches, reproducibility"),
    "COHORT_ASSEMBLE": (9, 1, "one object, one model"),
    "COHORT_MIXING": (10, 1, "maps before and after"),
    "NICHE_DESCRIBE": (10, 2, "markers, maps"),
    "NICHE_ASSOCIATE": (11, 2, "a task per contrast"),
    "NICHE_COLLECT": (12, 2, "all contrasts"),
    "REPORT_PLANTED": (13, 2, "truth (simulated)"),
    "COHORT_ANNOTATE": (10, 0, "names, clinical columns"),
    "EXPORT_WRITE": (11, 0, "files for other programs"),
    "EXPLORER_BUILD": (12, 0, "explorer"),
    "REPORT_QC": (4, 3, "samples and limits"),
    "REPORT_SUMMARY": (12, 3, "the answer first"),
    "REPORT_METHODS": (13, 3, "methods text"),
    "REPORT_MULTIQC": (14, 3, "the report"),
}
ROUTES = [
    # those that leave another line are drawn before it
    ("files", ["COHORT_ASSEMBLE", "COHORT_ANNOTATE", "EXPORT_WRITE", "EXPLORER_BUILD"]),
    ("outcome", ["COHORT_ASSEMBLE", "NICHE_DESCRIBE", "NICHE_ASSOCIATE", "NICHE_COLLECT", "REPORT_PLANTED",
                 "REPORT_MULTIQC"]),
    ("report", ["SAMPLE_QC", "REPORT_QC", "REPORT_SUMMARY", "REPORT_METHODS", "REPORT_MULTIQC"]),
    ("cohort", ["MODEL_EMBED", "MODEL_DENOISE"]),
    ("cohort", ["SAMPLE_QC", "COHORT_FEATURES", "GRAPH_BUILD", "MODEL_TRAIN", "MODEL_EMBED", "NICHE_CLUSTER",
                "COHORT_ASSEMBLE", "COHORT_MIXING"]),
    ("samples", ["COHORT_SIMULATE", "SAMPLESHEET_CHECK", "SAMPLE_INGEST", "SAMPLE_QC"]),
]  # fmt: skip
STEP, TOP, ROW, LEFT = 172, 110, 120, 90
GAP = 12
"""Pixels on either side of the middle between two columns that hold no name."""
ON_REQUEST = ("COHORT_SIMULATE", "MODEL_DENOISE", "REPORT_PLANTED")
"""Stations where only some runs stop: drawn with a thin ring."""


def place(process: str) -> tuple[int, int]:
    """Where a station lies, in pixels."""
    column, row, _ = STATIONS[process]
    return LEFT + column * STEP, TOP + row * ROW


def track(stations: list[str]) -> str:
    """Path through the stations: straight along a row; between rows a curve in the gap that names of stations leave."""
    x, y = place(stations[0])
    path = [f"M{x} {y}"]
    for process in stations[1:]:
        to_x, to_y = place(process)
        if to_y == y or to_x == x:
            path.append(f"L{to_x} {to_y}")
        else:
            start, bend, end = x + STEP // 2 - GAP, x + STEP // 2, x + STEP // 2 + GAP
            path.append(f"L{start} {y} C{bend} {y} {bend} {to_y} {end} {to_y} L{to_x} {to_y}")
        x, y = to_x, to_y
    return " ".join(path)


def metro_map() -> str:
    """The map as SVG."""
    width = LEFT * 2 + STEP * max(column for column, _, _ in STATIONS.values())
    height = TOP + ROW * max(row for _, row, _ in STATIONS.values()) + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, '
        'sans-serif" role="img" aria-labelledby="title" paint-order="stroke" stroke-linejoin="round">',
        "  <style>text { stroke: #fff; stroke-width: 4px }</style>",
        '  <title id="title">Metro map of nf-semanticst: every process, from the tables to the report</title>',
        f'  <rect width="{width}" height="{height}" rx="14" fill="#fff"/>',
    ]
    for line, stations in ROUTES:
        parts.append(f'  <path d="{track(stations)}" fill="none" stroke="{LINES[line][0]}" stroke-width="9" '
                     'stroke-linecap="round" stroke-linejoin="round"/>')  # fmt: skip
    for process, (_, _, words) in STATIONS.items():
        x, y = place(process)
        ring = 2 if process in ON_REQUEST else 4
        parts += [
            f'  <circle cx="{x}" cy="{y}" r="11" fill="#fff" stroke="#1b2a33" stroke-width="{ring}"/>',
            f'  <text x="{x}" y="{y - 22}" font-size="12" font-weight="700" fill="#1b2a33" text-anchor="middle">'
            f"{process}</text>",
            f'  <text x="{x}" y="{y + 31}" font-size="12" fill="#46555e" text-anchor="middle">{escape(words)}</text>',
        ]
    x = LEFT
    for colour, words in LINES.values():
        parts += [
            f'  <path d="M{x} 30 h34" stroke="{colour}" stroke-width="9" stroke-linecap="round"/>',
            f'  <text x="{x + 46}" y="35" font-size="14" fill="#1b2a33">{escape(words)}</text>',
        ]
        x += 210
    parts.append(f'  <text x="{x}" y="35" font-size="13" fill="#46555e">thin ring: only where it is asked for</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("metro_map.svg").write_text(metro_map())
