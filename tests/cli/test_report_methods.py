"""``report_methods.py``: versions and parameters in, methods text out."""

import json

from helpers import invoke

TEMPLATE = """
steps:
  - process: SAMPLE_QC
    text: "Filtered at {qc_mads} MADs."
packages: {}
references: {}
"""


def inputs(folder, versions='SAMPLE_QC:\n  anndata: "0.12"\n', params='{"qc_mads": 4}'):
    for name, content in {"versions.yml": versions, "params.json": params, "template.yml": TEMPLATE}.items():
        (folder / name).write_text(content)
    return [
        "--versions", folder / "versions.yml", "--params", folder / "params.json", "--outdir", folder,
    ]  # fmt: skip


def test_text_with_a_given_template(tmp_path):
    result = invoke("report_methods", *inputs(tmp_path), "--template", tmp_path / "template.yml")
    assert result.exit_code == 0, result.stderr
    content = json.loads((tmp_path / "methods_mqc.json").read_text())
    assert content["parent_id"] == "methods"
    assert content["data"] == "<p>Filtered at 4 MADs.</p>\n<p>Software: anndata 0.12.</p>"


def test_the_template_of_the_project_is_the_default(tmp_path):
    versions = 'NICHE_DESCRIBE:\n  matplotlib: "3.10"\n'
    assert invoke("report_methods", *inputs(tmp_path, versions)).exit_code == 0
    text = json.loads((tmp_path / "methods_mqc.json").read_text())["data"]
    assert "Markers compare cells inside and outside a niche" in text
    assert "Hunter JD" in text


def test_bad_files_are_bad_input(tmp_path):
    assert invoke("report_methods", *inputs(tmp_path, versions="a: [")).exit_code == 3
    result = invoke("report_methods", *inputs(tmp_path, params="[]"))
    assert result.exit_code == 3
    assert "params.json" in result.stderr


def test_usage_errors(tmp_path):
    assert invoke("report_methods", "--versions", tmp_path / "absent.yml").exit_code == 2
