"""The report on a simulated cohort: numbers worked out by hand."""

import json

import pandas as pd
import pytest

from semanticst.errors import BadInput
from semanticst.report.ground_truth import agree, judge, match_domains, report_planted

GROUPS = {"type": "groups", "reference": "low", "target": "high", "domains": [{"domain": "D2", "direction": "up"}]}
SURVIVAL = {"type": "survival", "domains": [{"domain": "D2", "direction": "down"}]}
NOTHING = {"type": "groups", "reference": "low", "target": "high", "domains": []}


def labels():
    """10 cells: D1 is niche 2 but for one cell, D2 is niche 1, D3 is split between niches 1 and 3."""
    domain = pd.Series(["D1"] * 4 + ["D2"] * 4 + ["D3"] * 2)
    niche = pd.Series([2, 2, 2, 1] + [1] * 4 + [1, 3])
    return domain, niche


def associations(**q):
    """Association table with the q-values of niches 1, 2, 3 and positive effects."""
    rows = [
        {
            "niche": k,
            "feature": "proportion",
            "effect": 0.8,
            "effect_type": "clr_difference",
            "p": value / 2,
            "q": value,
        }
        for k, value in zip((1, 2, 3), q.values())
    ]
    contact = {"niche": 1, "feature": "contact_with_2", "effect": -3, "effect_type": "log2_contact_difference"}
    return pd.DataFrame([*rows, contact | {"p": 0.001, "q": 0.001}])


def test_domains_are_matched_one_to_one():
    matches = match_domains(*labels())
    assert matches["niche"].to_dict() == {"D1": 2, "D2": 1, "D3": 3}
    assert matches["n_cells"].to_dict() == {"D1": 4, "D2": 4, "D3": 2}
    assert matches["recovered"].to_dict() == {"D1": 0.75, "D2": 1.0, "D3": 0.5}
    assert matches["pure"].to_dict() == pytest.approx({"D1": 1.0, "D2": 4 / 6, "D3": 1.0})


def test_a_domain_without_a_niche_is_told():
    matches = match_domains(pd.Series(["D1", "D1", "D2"]), pd.Series([1, 1, 1]))
    assert matches.loc["D1", "niche"] == 1
    assert matches.loc["D2", "niche"] is None
    assert type(matches.loc["D1", "niche"]) is int
    assert judge("g", GROUPS, associations(a=0.01, b=0.5, c=0.5), matches).found is False


def test_agreement_by_hand():
    domain, niche = labels()
    # pairs of cells: in one entry of the table (3, 1, 4, 1, 1) 3 + 6 = 9, in one row 6 + 6 + 1 = 13,
    # in one column 3 + 15 = 18, in all 45
    expected = 13 * 18 / 45
    assert agree(domain, niche)["ari"] == pytest.approx((9 - expected) / ((13 + 18) / 2 - expected))
    assert agree(domain, domain.str[1])["ari"] == 1
    assert agree(domain, domain.str[1])["nmi"] == pytest.approx(1)


def test_a_planted_effect_is_found_in_its_niche_and_direction():
    finding = judge("g", GROUPS, associations(a=0.01, b=0.5, c=0.5), match_domains(*labels()))
    assert (finding.niche, finding.q, finding.p) == (1, 0.01, 0.005)
    assert finding.found is True
    assert finding.others == []


def test_the_wrong_direction_is_missed():
    down = GROUPS | {"domains": [{"domain": "D2", "direction": "down"}]}
    finding = judge("g", down, associations(a=0.01, b=0.5, c=0.5), match_domains(*labels()))
    assert (finding.found, finding.found_direction) == (False, "up")


def test_other_niches_and_contacts_are_told_apart():
    finding = judge("g", GROUPS, associations(a=0.2, b=0.01, c=0.04), match_domains(*labels()))
    assert finding.found is False
    assert finding.others == [2, 3]


def test_a_hazard_ratio_below_one_is_a_lower_hazard():
    table = associations(a=0.01, b=0.5, c=0.5).assign(effect=0.4, effect_type="hazard_ratio_per_sd")
    finding = judge("s", SURVIVAL, table, match_domains(*labels()))
    assert (finding.found_direction, finding.found) == ("down", True)
    finding = judge("s", SURVIVAL, table.assign(effect_type="log_hazard_ratio"), match_domains(*labels()))
    assert (finding.found_direction, finding.found) == ("up", False)


def test_calls_where_nothing_was_planted_are_false_alarms():
    finding = judge("g", NOTHING, associations(a=0.01, b=0.5, c=0.02), match_domains(*labels()))
    assert (finding.domain, finding.found, finding.others) == (None, False, [1, 3])


def test_an_untestable_niche_is_not_found():
    table = associations(a=0.01, b=0.5, c=0.5)
    table.loc[0, ["effect", "p", "q"]] = float("nan")
    finding = judge("g", GROUPS, table, match_domains(*labels()))
    assert (finding.niche, finding.q, finding.found) == (1, None, False)


def write_inputs(folder):
    planted = folder / "planted"
    planted.mkdir()
    domain, niche = labels()
    cells = [f"c{i}" for i in range(10)]
    truth = pd.DataFrame({"sample": "s", "cell_id": [*cells, "removed"], "domain": [*domain, "D1"]})
    truth.to_csv(planted / "domains.csv.gz", index=False)
    contrasts = {"g": GROUPS, "untested": SURVIVAL}
    (planted / "planted.json").write_text(json.dumps({"domains": ["D1", "D2", "D3"], "contrasts": contrasts}))
    pd.DataFrame({"sample": "s", "cell_id": cells, "niche": niche}).to_csv(folder / "niches.csv.gz", index=False)
    associations(a=0.01, b=0.5, c=0.04).to_csv(folder / "g.csv", index=False)
    return planted, folder / "niches.csv.gz", [folder / "g.csv"]


def test_files(tmp_path):
    report_planted(*write_inputs(tmp_path), tmp_path / "out")
    found = json.loads((tmp_path / "out" / "planted.json").read_text())
    assert (found["n_cells"], found["n_cells_removed"]) == (10, 1)
    assert found["ari"] == pytest.approx((9 - 5.2) / (15.5 - 5.2))
    assert list(found["contrasts"]) == ["g"]
    assert found["contrasts"]["g"]["found"] is True
    text = json.loads((tmp_path / "out" / "planted_mqc.json").read_text())["data"]
    assert "<b>0.37</b>" in text
    assert "D2 is larger in high than in low" in text
    assert "Niche 1, which holds D2, is larger in high than in low (p = 0.005, q = 0.01): <b>found</b>" in text
    assert "Also below q = 0.05: Niche 3." in text
    rows = json.loads((tmp_path / "out" / "planted_domains_mqc.json").read_text())["data"]
    assert rows["D1"]["niche"] == "Niche 2"
    assert rows["D1"]["recovered"] == 75.0


def test_cells_of_another_cohort_are_bad_input(tmp_path):
    planted, niches, tables = write_inputs(tmp_path)
    pd.DataFrame({"sample": ["x"], "cell_id": ["c0"], "niche": [1]}).to_csv(niches, index=False)
    with pytest.raises(BadInput, match="another cohort"):
        report_planted(planted, niches, tables, tmp_path)


def test_missing_files_and_columns_are_named(tmp_path):
    planted, niches, tables = write_inputs(tmp_path)
    pd.read_csv(tables[0]).drop(columns=["q", "effect"]).to_csv(tables[0], index=False)
    with pytest.raises(BadInput) as bad:
        report_planted(planted, niches, tables, tmp_path)
    assert {problem.column for problem in bad.value.problems} == {"q", "effect"}
    (planted / "domains.csv.gz").unlink()
    with pytest.raises(BadInput, match="domains.csv.gz"):
        report_planted(planted, niches, tables, tmp_path)
