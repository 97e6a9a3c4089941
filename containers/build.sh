#!/usr/bin/env bash
# Build the images and test each of them.
#   containers/build.sh [IMAGE...] [-- OPTIONS OF THE BUILDER]
# IMAGE is base, torch or torch-cuda; all when none is named. Options go to the builder, for example
#   -- --build-arg UV_DEFAULT_INDEX=ADDRESS      a mirror of the package index
#   -- --build-arg TORCH_INDEX=ADDRESS           a mirror of PyTorch's CPU index
# BUILD and RUN name other programs than docker or podman: BUILD="buildah bud" RUN="podman run"
# PREFIX is put before the names, to push them: PREFIX=registry.example.org/lab/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

images=()
while (($#)) && [[ $1 != -- ]]; do images+=("$1"); shift; done
(($#)) && shift
((${#images[@]})) || images=(base torch torch-cuda)

engine=$(command -v docker || command -v podman || true)
BUILD=${BUILD:-${engine:?neither docker nor podman is on PATH} build}
RUN=${RUN:-${engine:?neither docker nor podman is on PATH} run}
version=$(sed -n "s/^ *version *= *'\(.*\)'/\1/p" nextflow.config)
torch=$(sed -n 's/^torch==\([^ ]*\).*/\1/p' requirements.lock)

for image in "${images[@]}"; do
    name="${PREFIX:-}nf-semanticst/$image:$version"
    echo "== $name"
    $BUILD --file containers/Dockerfile --target "$image" --tag "$name" \
        --build-arg VERSION="$version" --build-arg TORCH_VERSION="$torch" "$@" .
    # as a user who does not exist in the image, without network, on a file system that cannot be written; the pipeline
    # names folders for these two caches as well
    $RUN --rm --interactive --user 12345:12345 --network none --read-only \
        --env MPLCONFIGDIR=/dev/shm --env NUMBA_CACHE_DIR=/dev/shm "$name" python3 - "$image" < containers/smoke.py
done
