"""Pieces of tissue in one set of coordinates: cores of a tissue array, sections that lie side by side."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix

from semanticst.errors import ReadError
from semanticst.io.several_sections import FIELDS, plain
from semanticst.units import percent

NEIGHBOURS = 5
"""The distance to this neighbour measures how dense the cells lie: a stray cell between two cores is no bridge."""
FEWEST_CELLS = 30
"""Smallest group of cells that may be a piece."""
SMALLEST_SHARE = 1 / 2000
"""The same as a share of all cells."""
DEBRIS = 0.05
"""Groups with fewer cells than this share of a typical piece are no pieces."""
CLEAR_JUMP, JUMP = 3.0, 2.05
"""How much wider the gap between pieces is than any inside them; a lattice of spots without one row has gaps of 2."""
SAME_LINE = 0.5
"""Centres that are nearer than this share of their usual distance, across a line of the grid, are on one line."""
FEWEST_CORES = 6
"""Pieces in a grid that are plainly the cores of a tissue array, and no sections of one block."""
FAR, LARGE = 0.5, 0.1
"""Gap over the diagonal of a piece, from which it is far from the others; share of the cells that a large piece has."""
CORNER = 0.14
"""Side of squares in the corners of a rectangle, as a share of its own, which a disc in it does not reach."""
FIELDS_OF_ONE = (
    "Fields of view of one section, imaged with gaps: tell them by a column fov of the cells, and they are one sample"
)
LOOKED_AT = 20_000
"""Cells that are looked at to tell whether a sample is a tissue array."""


@dataclass(frozen=True)
class Pieces:
    """Which piece each cell is in: 0, 1, ... from top to bottom and left to right, -1 for none."""

    label: np.ndarray
    gap: float
    """Distance that parts them, in the unit of the coordinates."""
    row: np.ndarray | None = None
    """Row of each piece where they form a grid, from 0 at the top (small y)."""
    column: np.ndarray | None = None

    @property
    def n(self) -> int:
        return int(self.label.max()) + 1

    def names(self) -> list[str]:
        """``A1`` for the first row and column of a grid, else ``piece1``, ``piece2``, ..."""
        if self.row is None or self.column is None:
            return [f"piece{number + 1}" for number in range(self.n)]
        return [f"{row_letters(row)}{column + 1}" for row, column in zip(self.row, self.column)]


def find_pieces(points: np.ndarray, gap: float | None = None) -> Pieces:
    """The pieces of tissue that cells (float, n x 2) lie in.

    Cells nearer than ``gap`` to each other are of one piece; a stray cell counts as far away as its fifth neighbour.
    Without a gap it is read from the cells: joining them from the nearest to the farthest, the distance at which large
    groups are joined jumps where those inside pieces end.

    Raises ValueError when no cell has coordinates.
    """
    from scipy.sparse.csgraph import connected_components  # 12 MB, here beside a matrix that is read by then

    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    if not len(finite):
        raise ValueError("no cell has coordinates")
    positions, at = np.unique(points[finite], axis=0, return_inverse=True)
    weight = np.bincount(at.ravel())
    tree = _spanning_tree(positions)
    fewest = max(FEWEST_CELLS, int(len(finite) * SMALLEST_SHARE))
    if gap is None:
        gap = _widest_jump(tree, weight, fewest)
    near = tree.copy()
    near.data[near.data > gap] = 0
    near.eliminate_zeros()
    label = np.full(len(points), -1)
    label[finite] = connected_components(near, directed=False)[1][at.ravel()]
    label = _large(label, fewest)
    return _ordered(label, points, gap)


def need_one_section(points: np.ndarray, obs: pd.DataFrame) -> list[str]:
    """Warnings about cells (float, n x 2 or 3) that lie in pieces of tissue far apart.

    Raises ReadError when they plainly lie in the cores of a tissue array. Fields of view that were chosen here and
    there form grids too: where a column of obs tells them, nothing is said. Pieces that are far apart may be two
    sections, and as well the fragments of one biopsy: a warning.
    """
    fields = [name for name in obs.columns if plain(name) in FIELDS]
    some = points[np.isfinite(points[:, :2]).all(axis=1), :2][:: max(1, len(points) // LOOKED_AT)]
    some = np.asarray(some, dtype=np.float64)
    n_fields = max((obs[name].nunique() for name in fields), default=0)
    if len(some) < 2 * FEWEST_CELLS or n_fields >= FEWEST_CORES:
        return []
    pieces = find_pieces(some)
    if pieces.row is not None and pieces.column is not None and pieces.n >= FEWEST_CORES:
        rows, columns = int(pieces.row.max()) + 1, int(pieces.column.max()) + 1
        looks = "as fields of view do" if rectangles(some, pieces) else "as the cores of a tissue array do"
        raise ReadError(
            f"{pieces.n} pieces of tissue lie in a grid of {rows} x {columns}, {looks}, and a sample is one section. "
            "Cores: './semanticst split' with this path writes a samplesheet with a row for each (docs/usage.md, "
            f"Several samples from one folder). {FIELDS_OF_ONE}"
        )
    return far_apart(some, pieces) if n_fields < 2 else []


def far_apart(points: np.ndarray, pieces: Pieces) -> list[str]:
    """A warning where large pieces lie farther from each other than tissue that was torn does."""
    from scipy.spatial import cKDTree

    sizes = np.bincount(pieces.label[pieces.label >= 0], minlength=pieces.n)
    large = [number for number in range(pieces.n) if sizes[number] >= LARGE * sizes.sum()]
    if len(large) < 2:
        return []
    of_piece = [points[pieces.label == number] for number in large]
    wide = [float(np.hypot(*np.ptp(own, axis=0))) for own in of_piece]
    for i, own in enumerate(of_piece):
        others = np.concatenate(of_piece[:i] + of_piece[i + 1 :])
        gap = float(cKDTree(others).query(own)[0].min())
        if gap >= FAR * wide[i]:
            shares = ", ".join(f"{percent(sizes[number] / len(points))}" for number in large)
            return [
                f"{len(large)} large pieces of tissue lie far apart ({shares} of the cells; {gap:.4g} units of the "
                f"coordinates beside a piece that is {wide[i]:.4g} wide): fragments of one section may, but are these "
                "several sections, './semanticst split' with this path writes a samplesheet with a row for each"
            ]
    return []


def rectangles(points: np.ndarray, pieces: Pieces) -> bool:
    """Whether most pieces fill the rectangle around them, as fields of view do and cores (pi / 4 of it) do not.

    points : float, n x 2. Told by the cells in the corners, where a disc has none.
    """
    full = 0
    for number in range(pieces.n):
        own = points[pieces.label == number]
        place = (own - own.min(axis=0)) / np.maximum(np.ptp(own, axis=0), 1e-12)
        in_corners = (np.abs(place - 0.5) > 0.5 - CORNER).all(axis=1).mean()
        full += in_corners > 0.5 * (2 * CORNER) ** 2
    return full > 0.75 * pieces.n


def row_letters(row: int) -> str:
    """A, B, ..., Z, AA, ... of 0, 1, ..."""
    letters = ""
    row += 1
    while row:
        row, letter = divmod(row - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def _spanning_tree(positions: np.ndarray):
    """Minimum spanning tree of unique positions by mutual reachability distance: CSR, n x n with n - 1 entries.

    The distance of two cells is at least that of each to its fifth neighbour (Campello et al. 2013, the distance of
    HDBSCAN); edges of the Delaunay triangulation are enough for the tree of plain distances, and nearly so for this.
    """
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial import Delaunay, QhullError, cKDTree  # 7 MB more

    n = len(positions)
    depth = min(NEIGHBOURS, n - 1)
    if depth < 1:
        return coo_matrix((n, n)).tocsr()
    core = cKDTree(positions).query(positions, k=depth + 1)[0][:, -1]
    try:
        corners = Delaunay(positions).simplices
        edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    except (QhullError, ValueError):  # all on one line, or too few
        order = np.lexsort(positions.T)
        edges = np.column_stack([order[:-1], order[1:]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    length = np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1)
    length = np.maximum(length, core[edges].max(axis=1))
    return minimum_spanning_tree(coo_matrix((length, tuple(edges.T)), shape=(n, n)).tocsr())


def _widest_jump(tree, weight: np.ndarray, fewest: int) -> float:
    """The distance that parts pieces; infinity where nothing tells several."""
    edges = tree.tocoo()
    order = np.argsort(edges.data, kind="stable")
    joined = _joined_lengths(edges.row[order], edges.col[order], edges.data[order], weight, fewest)
    if not joined:
        return np.inf
    lengths = np.sort([float(np.median(edges.data)), *joined])
    ratio = lengths[1:] / lengths[:-1]
    clear = np.flatnonzero(ratio >= CLEAR_JUMP)
    place = int(clear[0]) if len(clear) else int(np.argmax(ratio))
    return float(np.sqrt(lengths[place] * lengths[place + 1])) if ratio[place] >= JUMP else np.inf


def _joined_lengths(first, second, length, weight: np.ndarray, fewest: int) -> list[float]:
    """Lengths of the edges that join two groups of at least ``fewest`` cells each, in rising order."""
    parent, size = np.arange(len(weight)).tolist(), weight.tolist()
    found = []

    def root(cell: int) -> int:
        while parent[cell] != cell:
            parent[cell] = cell = parent[parent[cell]]
        return cell

    for a, b, distance in zip(first.tolist(), second.tolist(), length.tolist()):
        a, b = root(a), root(b)
        if size[a] < size[b]:
            a, b = b, a
        if size[b] >= fewest:
            found.append(distance)
        parent[b] = a
        size[a] += size[b]
    return found


def _large(label: np.ndarray, fewest: int) -> np.ndarray:
    """Labels without groups that are too small, which become -1."""
    sizes = np.bincount(label[label >= 0])
    candidates = sizes[sizes >= fewest]
    limit = max(fewest, DEBRIS * float(np.median(candidates))) if len(candidates) else np.inf
    return np.where((label >= 0) & (sizes[label] >= limit), label, -1)


def _ordered(label: np.ndarray, points: np.ndarray, gap: float) -> Pieces:
    """Pieces by row and column where they form a grid, else from top to bottom."""
    groups = np.unique(label[label >= 0])
    if not len(groups):
        return Pieces(np.full(len(label), -1), gap)
    centres = np.array([points[label == group].mean(axis=0) for group in groups])
    row, column = grid_of(centres)
    order = np.lexsort(centres.T if row is None or column is None else np.stack([column, row]))
    number = np.full(int(groups.max()) + 2, -1)  # the last for -1
    number[groups[order]] = np.arange(len(groups))
    if row is None or column is None:
        return Pieces(number[label], gap)
    return Pieces(number[label], gap, row[order], column[order])


def grid_of(centres: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Row and column of each centre (float, n x 2) in a grid that may be turned by a few degrees; None where no grid.

    A grid: at least four centres in two rows and two columns, no two at one place, and places that are mostly taken.
    """
    if len(centres) < 4:
        return None, None
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(centres).query(centres, k=2)
    spacing = float(np.median(distance[:, 1]))
    steps = centres[nearest[:, 1]] - centres
    # the direction to the nearest neighbour is that of a row or a column: the angle is told up to quarter turns
    turn = np.exp(4j * np.arctan2(steps[:, 1], steps[:, 0])).mean()
    angle = np.angle(turn) / 4 if abs(turn) > 0.5 else 0.0
    if abs(angle) > np.pi / 6:
        angle = 0.0
    along = centres @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    column, row = (_lines(along[:, axis], SAME_LINE * spacing) for axis in (0, 1))
    places = {(int(r), int(c)) for r, c in zip(row, column)}
    n_places = (int(row.max()) + 1) * (int(column.max()) + 1)
    if len(places) < len(centres) or n_places > 2 * len(centres) or min(row.max(), column.max()) == 0:
        return None, None
    return row, column


def _lines(values: np.ndarray, apart: float) -> np.ndarray:
    """Number of the line of each value: a new line begins where the next value is farther than ``apart``."""
    order = np.argsort(values)
    line = np.empty(len(values), dtype=int)
    line[order] = np.concatenate([[0], np.cumsum(np.diff(values[order]) > apart)])
    return line
