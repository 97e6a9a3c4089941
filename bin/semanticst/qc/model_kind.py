"""Kind of the values that a model was trained on, which mapped samples are judged as."""

import pickletools
import zipfile
from collections.abc import Sequence
from pathlib import Path

from semanticst.constants import FeatureType
from semanticst.errors import BadInput, Problem

KEY = "feature_type"


def kind_of_model(path: Path) -> FeatureType:
    """Feature type of a ``model.pt``.

    Its names and texts are looked through without loading anything: PyTorch, which wrote the file, is not among what
    quality control needs, and nothing of it is run. Raises BadInput when it is no model.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if broken := archive.testzip():
                raise ValueError(f"{broken} in it is not as it was written")
            stored = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            kind = _value_of(KEY, archive.read(stored))
        return FeatureType(kind)
    except MemoryError:
        raise
    except Exception as error:  # of a changed bit zipfile and pickletools raise many kinds; all mean the same
        message = f"this is no model.pt of a finished run, or damaged ({error or 'there is no data.pkl'}); "
        message += "give integration/model.pt as the run wrote it"
        raise BadInput(Problem(path, message)) from error


def _value_of(key: str, pickled: bytes) -> str:
    """The text that follows ``key``, which may stand for an equal text before it."""
    memory: dict[int, str] = {}
    last, wanted = "", False
    for code, value, _ in pickletools.genops(pickled):
        if "PUT" in code.name or code.name == "MEMOIZE":
            memory[len(memory) if code.name == "MEMOIZE" else int(value or 0)] = last
            continue
        last = memory.get(int(value or 0), "") if "GET" in code.name else str(value) if "UNICODE" in code.name else ""
        if "GET" not in code.name and "UNICODE" not in code.name:
            continue
        text = last
        if wanted:
            return text
        wanted = text == key
    raise ValueError(f"it has no {key}")


def kind_of_cohort(possible: Sequence[Sequence[str]], model: FeatureType) -> FeatureType | None:
    """The model's kind where the values of every sample may be that; None where they may not, which mapping tells."""
    return model if all(model in kinds for kinds in possible) else None
