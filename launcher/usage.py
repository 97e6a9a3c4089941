"""Words of the commands of ``./semanticst`` about themselves.

Not here: parameters of the pipeline (``launcher.parameters``), and commands that print their own help (split, verify,
setup, a benchmark, the engine, Python).
"""

HELP = """\
Usage: ./semanticst COMMAND [ARGUMENTS]

  demo [ARGS]        run the pipeline on a simulated cohort; results in ./results_demo
  test [ARGS]        run all tests (ARGS go to pytest)
  test --containers [STEPS]
                     build the images and run the pipeline from them (Debian, root; without STEPS: what there is)
  run ARGS           run the pipeline: nextflow run <this checkout> ARGS; parameters and tables are checked first
  check --input SHEET [--clinical TABLE --contrasts TABLE ...] [--read_samples | --no_files] [--json]
                     what a run would compare, from its tables alone: groups, events, who is left out and why, batches;
                     --read_samples: read every sample, and say what was understood (format, values, unit, left out);
                     --no_files: the samples are not here; exit code 3 with problems, 0 with none. Writes nothing
  split FOLDER       find the pieces of tissue in a folder or file (cores of a tissue array) and draft a samplesheet
  verify OUTDIR      whether an output folder is what its run left there: whole, damaged, left over from earlier runs
  nextflow ARGS      the workflow engine itself
  python ARGS        the Python of the pipeline's environment, with its library in reach
  lint               check the workflow, and the style and types of the Python code
  bench [NAME ARGS]  run a benchmark; without a name: list them
  setup [--torch cpu|default] [--peers [NAMES]]
                     install everything now; 'cpu' takes PyTorch's smaller CPU build from its own index; --peers: also
                     the methods that 'bench niches' compares with (else when first used)
  help [COMMAND]     this text, or that of a command; also COMMAND --help

The first command installs what is missing into a cache: a Python environment (3 GB to download, 7 GB on disk) and,
where the machine has none that fits, Nextflow and Java. Later commands and other checkouts use it again.

  SEMANTICST_CACHE   the cache; default $XDG_CACHE_HOME/semanticst or ~/.cache/semanticst. Delete it to remove all.
  SEMANTICST_MAVEN   address of a Maven mirror, for Nextflow
  PIP_INDEX_URL, PIP_CERT, PIP_PROXY or pip's configuration files: mirror of the Python package index
  NXF_OFFLINE=false  let Nextflow use the network
"""

CHECK = """\
Usage: ./semanticst check --input SHEET [--clinical TABLE] [--contrasts TABLE] [OPTIONS]

What a run would compare, from its tables alone: groups, patients, events, who is left out and why, batches. Takes the
parameters of a run (./semanticst run --help), also as -profile and -params-file, and writes nothing.

  --input SHEET      the samplesheet
  --clinical TABLE   one row per patient
  --contrasts TABLE  what is compared, one row each; or --clinical_group COLUMN, or --clinical_time, --clinical_event
                     and --clinical_event_value
  --read_samples     read every sample as a run would, and say what was understood of it: format, matrix, kind of
                     values, unit, cells and features that are left out
  --no_files         the samples are not on this machine: do not look for their files
  --json             the same as JSON
  --help [NAME]      this text, or all about a parameter of the run

Exit code 0: no problem; 2: wrong usage; 3: problems, all of which are named.
"""

DEMO = """\
Usage: ./semanticst demo [ARGS]

Runs the pipeline on a simulated cohort and says where its report is. ARGS are parameters of the pipeline and options of
the engine, as of './semanticst run' (./semanticst run --help).

  --outdir FOLDER    where the results go; default results_demo
  --help [NAME]      this text, or all about a parameter of the run
"""

TEST = """\
Usage: ./semanticst test [ARGS]
       ./semanticst test --containers [STEPS]

Runs the tests, one worker per core unless files are named. ARGS go to pytest, whose own help is printed by
'./semanticst python -m pytest --help'.

  tests/python/niche a folder or file of tests
  -m "not engine"    without the tests that start Nextflow
  -k WORD            tests whose name has WORD
  --containers       build the images and run the pipeline from them (Debian, root; without STEPS: what there is)
"""

LINT = """\
Usage: ./semanticst lint

Checks the workflow (nextflow lint), and the style and types of the Python code (ruff, mypy). Takes no arguments. Exit
code 1 if any of them finds something.
"""

BENCH = """\
Usage: ./semanticst bench [NAME [ARGS]]

Runs a benchmark and prints its table; without NAME: lists them. './semanticst bench NAME --help' tells its options,
docs/benchmarks.md what was measured. There are: {names}
"""

PARAMETERS_OF_RUN = frozenset({"check", "demo"})
"""Commands that take the parameters of a run, and so ``--help NAME``."""
OWN = {"check": CHECK, "demo": DEMO, "test": TEST, "lint": LINT, "bench": BENCH}
"""Texts by command."""
