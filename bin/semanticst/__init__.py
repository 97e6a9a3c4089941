"""Tissue niches of a spatial-omics cohort, and which of them are associated with a clinical outcome.

The library behind the command-line steps in ``bin/``. It lies under ``bin/`` because that is the one folder that
Nextflow ships to every executor, and a script's own folder is the first entry of ``sys.path``.
"""

__version__ = "0.1.0"
