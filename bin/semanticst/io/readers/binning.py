"""Sums of counts that come as a long list of (place, gene, count) over bins or cells, block by block."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import scipy.sparse as sp


@dataclass
class Sums:
    """Counts per key and gene. A key is a cell id, or a bin as `bin_keys` makes it.

    Each block is summed when it comes, so that only sums are held in memory, not the list.
    """

    blocks: list[pd.DataFrame] = field(default_factory=list)

    def add(self, keys: np.ndarray, genes: np.ndarray, counts: np.ndarray) -> None:
        """Add a block: n keys (int64), n codes of genes, n counts."""
        block = pd.DataFrame({"key": keys, "gene": genes.astype(np.int32), "count": counts.astype(np.float32)})
        self.blocks.append(block.groupby(["key", "gene"], sort=False, as_index=False)["count"].sum())

    def matrix(self, n_genes: int) -> tuple[np.ndarray, sp.csr_matrix]:
        """The keys, sorted, and the counts: CSR float32, n_keys x n_genes."""
        total = pd.concat(self.blocks, ignore_index=True)
        keys, rows = np.unique(total["key"].to_numpy(), return_inverse=True)
        shape = (len(keys), n_genes)
        return keys, sp.coo_matrix((total["count"], (rows, total["gene"])), shape=shape).tocsr()


def bin_keys(x: np.ndarray, y: np.ndarray, n: int) -> np.ndarray:
    """One int64 per place: the bin of ``n`` x ``n`` places that it lies in. Bins begin at multiples of ``n``, as in
    Stereo-seq's own files. x, y : whole numbers, at least 0 and below 2^31."""
    return (x.astype(np.int64) // n << 32) | (y.astype(np.int64) // n)


def bin_corners(keys: np.ndarray, n: int) -> np.ndarray:
    """n_keys x 2, int64: x and y of the first place of each bin."""
    return np.column_stack([keys >> 32, keys & 0xFFFFFFFF]) * n
