#!/usr/bin/env bash
# Build the images and test each of them.
#   containers/build.sh [--push REGISTRY] [IMAGE...] [-- OPTIONS OF THE BUILDER]
# IMAGE is base, torch or torch-cuda; all when none is named. They are called localhost/nf-semanticst/IMAGE:VERSION here; with
# --push they also get the name of the registry (registry.example.org/lab) and go there, each once it has passed its test.
# Options go to the builder, for example
#   -- --build-arg UV_DEFAULT_INDEX=ADDRESS      a mirror of the package index
#   -- --build-arg TORCH_INDEX=ADDRESS           a mirror of PyTorch's CPU index
# BUILD and RUN name other programs than docker or podman: BUILD="buildah bud" RUN="podman run"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

registry=
if [[ ${1:-} == --push ]]; then
    registry=${2:?--push needs the name of a registry}
    shift 2
fi
images=()
while (($#)) && [[ $1 != -- ]]; do images+=("$1"); shift; done
(($#)) && shift
((${#images[@]})) || images=(base torch torch-cuda)

engine=$(command -v docker || command -v podman || true)
BUILD=${BUILD:-${engine:?neither docker nor podman is on PATH} build}
RUN=${RUN:-${engine:?neither docker nor podman is on PATH} run}
PUSH=${PUSH:-$engine}
version=$(sed -n "s/^ *version *= *'\(.*\)'/\1/p" nextflow.config)
revision=$(git rev-parse HEAD 2> /dev/null || true)
torch=$(sed -n 's/^torch==\([^ ]*\).*/\1/p' requirements.lock)

for image in "${images[@]}"; do
    name="localhost/nf-semanticst/$image:$version"
    echo "== $name"
    $BUILD --file containers/Dockerfile --target "$image" --tag "$name" \
        --build-arg VERSION="$version" --build-arg REVISION="$revision" --build-arg TORCH_VERSION="$torch" "$@" .
    # as a user who does not exist in the image, without network, on a file system that cannot be written; the pipeline
    # names folders for these two caches as well
    $RUN --rm --interactive --user 12345:12345 --network none --read-only \
        --env MPLCONFIGDIR=/dev/shm --env NUMBA_CACHE_DIR=/dev/shm "$name" python3 - "$image" < containers/smoke.py
    if [[ $registry ]]; then
        $PUSH tag "$name" "${registry%/}/nf-semanticst/$image:$version"
        $PUSH push "${registry%/}/nf-semanticst/$image:$version"
    fi
done
