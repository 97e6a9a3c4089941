"""Commands between quality control and niches, one after the other on a small cohort."""

import numpy as np

from helpers import invoke, make_internal

SMALL = ["--train-steps", 15, "--train-latent", 8, "--train-communities", 4]


def two_tissues(sample, patient, seed):
    """A QC'd sample whose left half is rich in the first ten genes and whose right half in the others."""
    adata = make_internal(sample=sample, patient=patient, batch=sample, seed=seed, n_cells=200, n_features=20)
    right = adata.obsm["spatial"][:, 0] > np.median(adata.obsm["spatial"][:, 0])
    rng = np.random.default_rng(seed)
    rates = np.where(right[:, None] == (np.arange(20) >= 10), 6.0, 1.0)
    adata.X = type(adata.X)(rng.poisson(rates).astype(np.float32))
    if sample != "s1":  # proteins of two panels, one of them high on the right, beside the genes
        own = np.column_stack([rng.poisson(np.where(right, 20.0, 4.0)), rng.poisson(8.0, 200), rng.poisson(8.0, 200)])
        adata.obsm["protein"] = own.astype(np.float32)
        names = ["CD3E", "VIM", f"only {sample}"]
        adata.uns["semanticst"] |= {"protein_names": names, "protein_type": "counts"}
    adata.obs["truth"] = np.where(right, "right", "left")
    return adata


def files(folder, kind):
    return sorted(folder.glob(f"*.{kind}.h5ad"), reverse=True)


def chain(source, out, names, model=None, training=SMALL):
    """Into ``out``, from ``names`` of ``source``; no ``training`` and no model: without a network."""
    qc = [source / name for name in names]
    onto = ["--model", model] if model else []
    done(invoke("cohort_features", *qc, "--features-n-components", 8, *onto, "--outdir", out))
    done(invoke("graph_build", *files(out, "components"), "--graph-hops", 2, "--outdir", out))
    if model is None and training is not None:
        done(invoke("model_train", *files(out, "graphs"), *training, "--device", "cpu", "--outdir", out))
    trained = [] if model is None and training is None else ["--network", model or out / "network.pt"]
    done(invoke("model_embed", *files(out, "graphs"), *trained, "--device", "cpu", "--outdir", out))
    done(invoke("niche_cluster", out / "cohort.embedding.h5ad", "--niche-k", 2, *onto, "--outdir", out))
    parts = ["--embedding", out / "cohort.embedding.h5ad", "--niches", out / "niches.csv.gz"]
    parts += ["--basis", out / "cohort.basis.npz", *trained, "--mixture", out / "niche_mixture.npz"]
    done(invoke("cohort_assemble", *qc, *parts, "--outdir", out))


def done(result):
    assert result.exit_code == 0, result.stderr
