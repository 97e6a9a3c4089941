"""The page of the report: whose configuration wins, and that the same sections give the same files."""

import base64
import gzip
import json
import re

import pandas as pd
import pytest

from helpers import ASSETS, invoke
from semanticst.errors import BadInput
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, QC, Column, Section, swatch
from semanticst.report.render import render_report

LOGO = b"\x89PNG\r\n\x1a\n own logo"
OWN = "title: Spleens of 2026\nreport_comment: Seen by <b>Dr. A</b>\ncustom_content:\n  order: [niches, qc]\n"


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Two reports of the same sections, made in different folders."""
    made = []
    for name in ("first", "a second one"):
        folder = tmp_path_factory.mktemp("report") / name
        (folder / "sections").mkdir(parents=True)
        frame = pd.DataFrame({"cells": [3, 4]}, index=["s1", "s2"])
        multiqc.table(folder / "sections", Section("qc_status", QC, "Samples"), frame, {"cells": Column("Cells")})
        multiqc.lines(folder / "sections", Section("curve", QC, "Curve"), {"s1": {0: 1, 1: 2}}, "x", "y")
        multiqc.text(folder / "sections", Section("niche_overview", NICHES, "Niches"), "forty-two")
        (folder / "own logo.png").write_bytes(LOGO)
        (folder / "own.yml").write_text(OWN)
        configs = ["--config", ASSETS / "multiqc_config.yml", "--config", folder / "own.yml"]
        arguments = [folder / "sections", *configs, "--logo", folder / "own logo.png", "--outdir", folder / "out"]
        result = invoke("report_multiqc", *arguments)
        assert result.exit_code == 0, result.stderr
        made.append(folder / "out")
    return made


def test_own_configuration_and_logo_win_and_the_rest_holds(reports):
    page = (reports[0] / "multiqc_report.html").read_text()
    assert "Spleens of 2026" in page
    assert "Seen by <b>Dr. A</b>" in page
    assert base64.b64encode(LOGO).decode() in page
    # own order of the chapters, the pipeline's own introduction
    assert re.findall(r'id="mqc-module-section-(niches|qc)"', page) == ["niches", "qc"]
    assert "Which recurring kinds of neighbourhood" in page


def timeless(path):
    """Bytes of a file with the times taken out that MultiQC writes."""
    content = path.read_bytes()
    content = re.sub(rb"\d{4}-\d\d-\d\d, \d\d:\d\d \w+|\d\d \w{3} \d{4}, \d\d:\d\d \w+", b"NOW", content)
    # packed in the page: the head of gzip has the time
    return re.sub(rb"H4sI[A-Za-z0-9+/=]{99,}", lambda packed: gzip.decompress(base64.b64decode(packed[0])), content)


def test_same_sections_give_the_same_files_but_for_times(reports):
    names = [sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) for out in reports]
    assert names[0] == names[1]
    assert {"multiqc_report.html", "multiqc_report_data/multiqc_data.json"} < set(names[0])
    assert [name for name in names[0] if timeless(reports[0] / name) != timeless(reports[1] / name)] == []


def test_no_folder_of_the_machine_is_published(reports):
    for path in reports[1].rglob("*"):
        assert path.is_dir() or b"a second one" not in path.read_bytes(), path.name


def test_tables_beside_the_report_are_plain_text(tmp_path):
    frame = pd.DataFrame({"n": ["1, 2", "=1+1"], "m": [swatch("#000000"), "'<b>'"]}, index=['a "b"', "-c=d"])
    section = Section("some", NICHES, "A")
    multiqc.table(tmp_path, section, frame, {"n": Column("N"), "m": Column("M")})
    render_report(tmp_path, [ASSETS / "multiqc_config.yml"], tmp_path / "out")
    data = tmp_path / "out/multiqc_report_data"
    table = (data / "multiqc_some_plot.txt").read_text().splitlines()
    # a spreadsheet opens it: what it would run has an apostrophe
    cells = sorted(line.split("\t") for line in table)
    assert cells == [["'-c=d", "'=1+1", "'<b>'"], ["Sample", "n", "m"], ['a "b"', "1, 2", ""]]
    held = json.loads((data / "multiqc_data.json").read_text())["report_saved_raw_data"]["multiqc_some_plot"]
    assert held['a "b"'] == {"n": "1, 2", "m": ""}
    assert not (data / "llms-full.txt").exists()


def test_nothing_is_in_the_page_twice_for_language_models(reports):
    # MultiQC packs all sections with their pictures once more, also where that is turned off
    page = (reports[0] / "multiqc_report.html").read_text()
    packed = re.search(r'aiReportMetadataBase64 = "([^"]*)"', page)[1]
    assert json.loads(base64.b64decode(packed)) == {"tools": {}, "sections": {}}


@pytest.mark.parametrize("content", ["title: [", "- a\n- b\n", "just words", b"title: \xff"])
def test_a_configuration_that_is_none_is_bad_input(tmp_path, content):
    own = tmp_path / "own.yml"
    own.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=r"own.yml: .*expected YAML that maps names"):
        render_report(tmp_path, [ASSETS / "multiqc_config.yml", own], tmp_path / "out")
    assert not (tmp_path / "out").exists()
