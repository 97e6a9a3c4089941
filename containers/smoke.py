"""Run in an image by build.sh: is it what its lock file says, and does it work for a user without rights and home?"""

import importlib
import os
import re
import shutil
import sys
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

image = sys.argv[1]
lines = re.findall(r"^([a-z0-9-]+)==(\S+)(.*)", Path("/opt/requirements.lock").read_text(), re.MULTILINE)
locked = {name: version for name, version, _ in lines}
elsewhere = {name for name, _, marker in lines if ";" in marker}  # for other systems: Windows, other processors
installed = {re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(): d.version for d in distributions()}

assert os.getuid() != 0, "the test is for users without rights"
for program in ("bash", "ps", "python3", "multiqc"):
    assert shutil.which(program), f"{program} is missing"

with_torch = image != "base"
if image == "torch":  # the CPU build: from an index of its own, not in the lock
    locked["torch"] = installed.get("torch", "").split("+")[0]
    installed["torch"] = locked["torch"]
missing = locked.keys() - installed.keys() - elsewhere
assert not missing, f"not installed: {sorted(missing)}"
wrong = {name: version for name, version in installed.items() if locked.get(name) != version}
assert not wrong, f"installed, but not in the lock: {wrong}"
assert ("torch" in installed) == with_torch
assert image == "torch-cuda" or not any(name.startswith("nvidia-") for name in installed)

names = {
    "anndata",
    "h5py",
    "jsonschema",
    "lifelines",
    "matplotlib.pyplot",
    "multiqc",
    "numpy",
    "pandas",
    "scipy.sparse",
}
names |= {"sklearn.mixture", "statsmodels.api", "threadpoolctl", "yaml"}
names |= {"harmonypy", "torch", "torch_geometric"} if with_torch else set()
for name in sorted(names):
    importlib.import_module(name)
print(f"{image}: {len(installed)} packages, {len(packages_distributions())} modules, Python {sys.version.split()[0]}")
