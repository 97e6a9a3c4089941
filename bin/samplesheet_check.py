#!/usr/bin/env python3
"""Check the samplesheet, the clinical table and the contrasts."""

import json
from pathlib import Path

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
ASSETS = Path(__file__).resolve().parent.parent / "assets"


@step()
@click.argument("sheet", type=EXISTING_FILE)
@click.option("--clinical", type=EXISTING_FILE, help="Clinical table, one row per patient.")
@click.option("--contrasts", type=EXISTING_FILE, help="Contrasts to test, one row each.")
@click.option("--clinical-group", default="", help="Shortcut: compare the groups of this column.")
@click.option("--clinical-time", default="", help="Shortcut: survival; column with the time to event or censoring.")
@click.option("--clinical-event", default="", help="Shortcut: survival; column that tells whether the event was seen.")
@click.option("--clinical-event-value", default="", help="Value of the event column that means: the event was seen.")
@click.option("--clinical-covariates", default="", help="Columns to adjust the shortcuts for, joined by commas.")
@click.option("--check-files/--no-check-files", default=True, show_default=True, help="Do the samples' paths exist?")
@click.option(
    "--missing", type=EXISTING_FILE, help="JSON: paths of the sheet that are not there, and where each was sought."
)
@click.option(
    "--read-samples", is_flag=True, help="Read every sample as a run would, and say what was understood of it."
)
@click.option("--pseudonymise/--no-pseudonymise", default=False, show_default=True,
              help="Replace ids of patients and samples by random codes in all that is written; the key is "
              "pseudonyms.csv.")  # fmt: skip
@click.option("--pseudonym-key", type=EXISTING_FILE, help="Key of an earlier run: its codes are kept.")
@click.option("--share-clinical/--no-share-clinical", default=True, show_default=True,
              help="May the published copies of the tables have clinical columns?")  # fmt: skip
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name, checked as far as it can be now.")
@click.option("--schema-dir", type=FOLDER, default=ASSETS, show_default="assets", help="Folder of the JSON schemas.")
@click.option("--folder", help="Where relative paths start, as path or address [default: the folder of the sheet].")
@click.option(
    "--preview", type=click.Choice(["text", "json"]), help="Print what each contrast will compare; write nothing."
)
@outdir_option
def samplesheet_check(
    sheet, clinical, contrasts, check_files, missing, read_samples, schema_dir, folder, preview, pseudonymise,
    pseudonym_key, share_clinical, niche_names, outdir, **shortcuts,
):  # fmt: skip
    """Check the samplesheet, the clinical table and the contrasts, and print every problem at once.

    Writes samplesheet.valid.csv, clinical.valid.csv and contrasts.valid.csv, without the samples that the sheet leaves
    out, and samplesheet.used.csv with all samples and absolute paths, which starts the same run again.
    samplesheet.json has the rows for the workflow, and published/ the tables as they may be published.
    """
    from semanticst.association.design.publication import Publication
    from semanticst.association.planning.cohort_check import check_cohort, read_cohort
    from semanticst.association.planning.preview import preview as preview_of
    from semanticst.association.planning.preview import preview_text
    from semanticst.errors import ExitCode
    from semanticst.io.contrasts_table import Shortcuts
    from semanticst.plotting.niche_names import read_niche_names

    shortcuts = Shortcuts(**{name.removeprefix("clinical_"): value for name, value in shortcuts.items()})
    survival = (shortcuts.time, shortcuts.event, shortcuts.event_value)
    if any(survival) and not all(survival):
        raise click.UsageError("survival needs --clinical_time, --clinical_event and --clinical_event_value together")
    # a task sees the tables and not the samples: whoever started it tells which of them are not there
    missing = json.loads(missing.read_text()) if missing else {}
    if niche_names:
        read_niche_names(niche_names)
    if preview:
        found = preview_of(
            lambda: read_cohort(sheet, clinical, contrasts, shortcuts, check_files, schema_dir, missing),
            sheet if read_samples else None,
        )
        click.echo(json.dumps(found, indent=2) if preview == "json" else preview_text(found))
        raise SystemExit(ExitCode.BAD_INPUT if found["problems"] else ExitCode.OK)
    publication = Publication(pseudonymise, pseudonym_key, share_clinical)
    check_cohort(sheet, clinical, contrasts, shortcuts, check_files, schema_dir, outdir, folder, missing, publication)
    if read_samples:
        # what tables alone need loads no reader
        from semanticst.io.read_check import read_samples as read_all

        read_all(json.loads((outdir / "samplesheet.json").read_text())["used"], sheet)


if __name__ == "__main__":
    samplesheet_check()
