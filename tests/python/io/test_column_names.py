"""Names of columns: which pair is x and y, what is an id, what is no feature."""

import pytest

from semanticst.io.readers.column_names import id_column, spatial_pair


@pytest.mark.parametrize(
    ("columns", "pair"),
    [
        ("x y", ("x", "y", "unknown")),
        ("y x", ("x", "y", "unknown")),
        ("X x y", ("x", "y", "unknown")),
        ("X Y", ("X", "Y", "unknown")),
        ("x y x_um y_um", ("x_um", "y_um", "um")),
        ("X_centroid Y_centroid", ("X_centroid", "Y_centroid", "unknown")),
        ("x_px y_px x_mm y_mm", ("x_mm", "y_mm", "mm")),
        ("Xcoord y_coord", ("Xcoord", "y_coord", "unknown")),
        ("centroid-0 centroid-1", ("centroid-1", "centroid-0", "unknown")),
        ("imagerow imagecol", ("imagecol", "imagerow", "px")),
        ("Location_Center_X Location_Center_Y", ("Location_Center_X", "Location_Center_Y", "unknown")),
        ("x_nm y_nm", ("x_nm", "y_nm", "nm")),
        ("row_centroid column_centroid", ("column_centroid", "row_centroid", "unknown")),
        ("x y x_global y_global", ("x_global", "y_global", "unknown")),
        ("x_um y_um x_slide_mm y_slide_mm", ("x_slide_mm", "y_slide_mm", "mm")),
        ("x y CenterX_global_px CenterY_global_px", ("CenterX_global_px", "CenterY_global_px", "px")),
        ("x z", None),
        ("MAX MAY", None),
    ],
)
def test_pairs_of_coordinates(columns, pair):
    assert spatial_pair(columns.split()) == pair


def test_micrometres_of_qupath():
    assert spatial_pair(["Centroid X µm", "Centroid Y μm".replace("μ", "µ")]) == (
        "Centroid X µm",
        "Centroid Y µm",
        "um",
    )


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ("index CellID", "CellID"),
        ("label cell_id", "cell_id"),
        ("Object a", "Object"),
        ("label fov", "label"),
        ("a b", None),
    ],
)
def test_ids(columns, found):
    assert id_column(columns.split()) == found


def test_two_units_are_no_pair():
    assert spatial_pair(["x_mm", "y_um"]) is None
    assert spatial_pair(["X_um", "y_um"]) == ("X_um", "y_um", "um")
