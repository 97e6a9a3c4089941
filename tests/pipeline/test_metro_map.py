"""The metro map shows the pipeline as it is."""

import importlib.util

from helpers import ROOT
from pipeline_helpers import modules

IMAGES = ROOT / "docs/images"


def test_every_process_is_a_station_and_the_picture_is_that_of_its_source():
    spec = importlib.util.spec_from_file_location("metro_map", IMAGES / "metro_map.py")
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)
    assert set(source.STATIONS) == {module.name for module in modules()}
    assert {name for _, stations in source.ROUTES for name in stations} == set(source.STATIONS)
    assert (IMAGES / "metro_map.svg").read_text() == source.metro_map(), "./semanticst python docs/images/metro_map.py"
