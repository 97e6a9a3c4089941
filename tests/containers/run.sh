#!/usr/bin/env bash
# The images built, and the pipeline run from them: Debian 12 as root, 30 GB of disk, a package index.
#   tests/containers/run.sh [FOLDER] STEP...
#     machine     install buildah and podman, and make the image that the Dockerfile starts from (with debootstrap)
#     build       build and test the images (base, torch-cuda; CUDA torch stands in for the CPU build)
#     demo        the demo with -profile podman: no network in any task, no Python but the image's
#     staged      no task reads what was not staged: copies, scratch, a work folder on another mount
#     apptainer   the demo with -profile apptainer, from images that are converted first, or lie in FOLDER/images
#     offline     the test run without any network but loopback, from one archive (containers/bundle.py)
#     clean       remove the images
# SEMANTICST_NEXTFLOW names another engine than the launcher's.
# PROFILE=test takes the smallest cohort instead of the demo. What only a test machine needs is in podman.config beside this.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
version=$(sed -n "s/^ *version *= *'\(.*\)'/\1/p" "$root/nextflow.config")
profile=${PROFILE:-demo}
podman="podman --runtime runc"
# what debootstrap makes stands in for the image that the Dockerfile names by its digest
debian=localhost/debian:bookworm-slim
limits="--ulimit nofile=10000:10000 --ulimit nproc=4096:4096"

skip() { echo "SKIPPED $step: $*"; exit 0; }
check() { if eval "$2"; then echo "ok      $1"; else echo "FAILED  $1"; exit 1; fi; }
need() { for program in "$@"; do command -v "$program" > /dev/null || skip "$program is missing, see step machine"; done; }
semanticst() { "$root/semanticst" "$@"; }
# the engine of the launcher, or the command that SEMANTICST_NEXTFLOW names
pipeline() { "${SEMANTICST_NEXTFLOW:-$root/semanticst}" run ${SEMANTICST_NEXTFLOW:+"$root"} "$@"; }

machine() {
    [[ $(id -u) == 0 ]] || skip "packages are installed as root"
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends buildah debootstrap podman runc > /dev/null
    podman image exists $debian && return
    debootstrap --variant=minbase --include=ca-certificates bookworm "$folder/debian" > "$folder/debootstrap.log"
    tar --directory "$folder/debian" --create . | podman import - $debian
    rm -rf "$folder/debian"
}

build() {
    need buildah podman runc
    # the machine's certificates, for a mirror of the package index behind one of its own
    local certificates=/etc/ssl/certs
    BUILD="buildah bud --layers --isolation chroot --network host --volume $certificates:$certificates:ro" \
        RUN="$podman run $limits" \
        "$root/containers/build.sh" base torch-cuda -- --build-arg SSL_CERT_FILE=$certificates/ca-certificates.crt --build-arg DEBIAN=$debian
    podman tag "localhost/nf-semanticst/torch-cuda:$version" "localhost/nf-semanticst/torch:$version"
    podman image prune --force > /dev/null
    podman images
}

# run NAME ARGUMENTS: the pipeline in a new folder of that name
run() {
    rm -rf "${folder:?}/$1"
    mkdir -p "$folder/$1"
    (cd "$folder/$1" && pipeline "${@:2}" --outdir results > run.log 2>&1) || { cat "$folder/$1/run.log"; return 1; }
    tail -n 6 "$folder/$1/run.log"
    check "$1: the report is there" "[[ -s '$folder/$1/results/multiqc/multiqc_report.html' ]]"
}

demo() {
    need podman runc
    run demo -profile "$profile,podman" -c "$here/podman.config"
    local image
    image=$($podman run $limits --network none --rm "localhost/nf-semanticst/base:$version" python3 -c "import platform; print(platform.python_version())")
    check "every task ran in a container" "! grep -L 'podman.* run ' '$folder'/demo/work/*/*/.command.run | grep ."
    check "with the Python of the image, $image" \
        "[[ \$(grep -h ' python:' '$folder/demo/results/pipeline_info/software_versions.yml' | sort -u | tr -d ' \"') == python:$image ]]"
}

staged() {
    need podman runc
    [[ $(id -u) == 0 ]] || skip "the work folder is mounted as root"
    # far from the pipeline: the engine mounts the folder that all of a task's files have in common
    local work=/mnt/semanticst-staged
    mkdir -p $work
    mountpoint -q $work || mount -t tmpfs -o size=4g tmpfs $work
    run staged -profile test,podman -c "$here/podman.config" -c "$here/staged.config" -work-dir $work/work
    # what tasks see of the machine: their own folder, and the pipeline's bin/, which AWS Batch gets a copy of
    grep -h 'podman.* run ' $work/work/*/*/.command.run | grep -o -e ' -v [^ ]*' | sort -u | tee "$folder/staged/mounts.txt"
    umount $work && rmdir $work
    check "tasks see the work folder and bin/, nothing else" \
        "! grep -v -e ' -v $work/work' -e ' -v $root/bin:' -e '\$NXF_TASK_WORKDIR' '$folder/staged/mounts.txt'"
}

apptainer() {
    command -v apptainer > /dev/null || skip "apptainer is missing (version 1.2 or newer)"
    local image
    mkdir -p "$folder/images"
    for image in base torch; do
        local file=$folder/images/nf-semanticst-$image-$version.img
        [[ -s $file ]] && continue
        need podman
        podman save --format docker-archive "localhost/nf-semanticst/$image:$version" --output "$folder/$image.tar"
        command apptainer build "$file" "docker-archive:$folder/$image.tar"
        rm "$folder/$image.tar"
    done
    NXF_APPTAINER_LIBRARYDIR=$folder/images run apptainer -profile "$profile,apptainer"
    check "every task ran in an image" "! grep -L 'apptainer exec' '$folder'/apptainer/work/*/*/.command.run | grep ."
}

offline() {
    need podman runc ip unshare
    local archive=$folder/bundle.tar target=$folder/offline
    semanticst python "$root/containers/bundle.py" "$archive" --engine podman
    rm -rf "$target"
    mkdir -p "$target/home"
    tar --directory "$target" --extract --file "$archive"
    rm "$archive"
    cd "$target/nf-semanticst-$version"
    # images that were built here are out of reach: the others come from the files
    sed "s#--runtime runc#& --root $target/storage#" "$here/podman.config" > test.config
    env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$target/home" unshare --net bash -euc '
        ip link set lo up
        ip -brief address
        for image in images/*.tar; do podman --root "$0/storage" load --quiet --input $image; rm $image; done
        ./nextflow run pipeline -profile test,podman -c test.config --outdir results' "$target"
    check "the report is there" "[[ -s results/multiqc/multiqc_report.html ]]"
    podman --root "$target/storage" rmi --all --force > /dev/null
}

clean() { podman rmi --force "localhost/nf-semanticst/"{base,torch,torch-cuda}":$version" $debian; podman image prune --force; }

(($#)) || { sed -n '2,/^set/s/^# \?//p' "$0"; exit 2; }
folder=$(mktemp -d -u)
[[ $1 == */* ]] && { folder=$1; shift; }
mkdir -p "$folder"
folder=$(realpath "$folder")
for step in "$@"; do
    echo "== $step"
    (time "$step") || exit 1
done
