"""Discovery and validation: the column ``study_part`` of the samplesheet."""

from semanticst.constants import DISCOVERY, VALIDATION
from semanticst.errors import Problem
from semanticst.tables.delimited import MISSING, Table

COLUMN = "study_part"


def check_study_parts(table: Table) -> list[Problem]:
    """What keeps the samples in use from being two parts of a study: a sample of none, a patient of both, no discovery.

    Values that are neither part are told by the schema.
    """
    if COLUMN not in table.columns:
        return []
    problems: list[Problem] = []
    part_of: dict[str, str] = {}
    for line, row in zip(table.lines, table.rows):
        part, patient = row.get(COLUMN, ""), row.get("patient", "")
        if part in MISSING:
            message = f"expected {DISCOVERY} or {VALIDATION}: where the column exists, every sample is of one part"
            problems.append(Problem(table.file, message, line, COLUMN))
        elif patient and part_of.setdefault(patient, part) != part:
            message = (
                f"patient {patient} is of the {part_of[patient]} above: who is in both parts would be tested on what "
                "was decided on the same patient"
            )
            problems.append(Problem(table.file, message, line, COLUMN, part))
    if table.rows and not problems and DISCOVERY not in {row[COLUMN] for row in table.rows}:
        message = (
            f"no sample is of the {DISCOVERY}, on which everything is decided; to map all onto a model, give --model"
        )
        problems.append(Problem(table.file, message, column=COLUMN))
    return problems
