#!/usr/bin/env bash
# nf-core's own check of the pipeline, with the launcher's engine; what is left out and why: .nf-core.yml
#   tests/nfcore_lint.sh [FOLDER]      FOLDER keeps nf-core between calls (200 MB)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$(mktemp -d)}
version=$(sed -n 's/^nf_core_version: *//p' "$root/.nf-core.yml")

if [[ ! -x $folder/bin/nf-core ]]; then
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet "nf-core==$version" || { echo "SKIPPED: nf-core cannot be had"; exit 0; }
fi
# nf-core calls `nextflow`; the launcher must not find this one when it looks for an engine
mkdir -p "$folder/engine"
printf '#!/bin/sh\nPATH="%s" exec "%s" nextflow "$@" 2> /dev/null\n' "$PATH" "$root/semanticst" > "$folder/engine/nextflow"
chmod +x "$folder/engine/nextflow"

export NXF_HOME="$folder/home" # where nf-core keeps what it read of the configuration the last time
rm -rf "$NXF_HOME/nf-core"
cd "$root"
PATH="$folder/engine:$folder/bin:$PATH" nf-core pipelines lint --dir . < /dev/null
