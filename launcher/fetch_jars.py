"""Jars, fetched by their Maven coordinates: ``fetch_jars.py FOLDER GROUP:ARTIFACT:VERSION...``.

Runs in the Python environment, for jgo: it knows where Maven's public repository is. Only the named files are fetched,
nothing is resolved; the caller compares them with the lock. SEMANTICST_MAVEN names a mirror.
"""

import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from jgo.maven import MavenContext

TRIES = 3


def fetch(coordinate: str, folder: Path, maven: MavenContext) -> None:
    """Put one jar into ``folder``. Raises RuntimeError or a requests exception after some tries."""
    group, artifact, version = coordinate.split(":")
    for attempt in range(1, TRIES + 1):
        try:
            path = maven.project(group, artifact).at_version(version).artifact().resolve()
            break
        except (RuntimeError, requests.RequestException):
            shutil.rmtree(maven.repo_cache / maven.project(group, artifact).path_prefix, ignore_errors=True)
            if attempt == TRIES:
                raise
            time.sleep(2 * attempt)
    path.rename(folder / path.name)


def main(folder: Path, coordinates: list[str]) -> None:
    mirror = os.environ.get("SEMANTICST_MAVEN", "").rstrip("/")
    maven = MavenContext(repo_cache=folder / "partial", remote_repos={"mirror": mirror} if mirror else None, timeout=60)
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda coordinate: fetch(coordinate, folder, maven), coordinates):
            pass
    shutil.rmtree(maven.repo_cache)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    except (RuntimeError, requests.RequestException) as error:
        sys.exit(f"{type(error).__name__}: {error}")
