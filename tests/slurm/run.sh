#!/usr/bin/env bash
# The pipeline on a real Slurm: jobs ask for what the labels say, a job that is killed and one over its memory are repeated.
#   tests/slurm/run.sh [FOLDER [ARGUMENTS OF THE PIPELINE]]
# Debian, root. The cluster is this machine; it claims to be larger than it is, so that every request fits as it stands.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
folder=$(realpath "$folder")
(($#)) && shift

for program in munged slurmctld slurmd sbatch; do
    PATH=$PATH:/usr/sbin command -v $program > /dev/null || {
        echo "SKIPPED: $program is missing (apt-get install --no-install-recommends munge slurmctld slurmd slurm-client)"
        exit 0
    }
done
[[ $(id -u) == 0 ]] || { echo "SKIPPED: the daemons of the test cluster are started as root"; exit 0; }

export SLURM_CONF=$folder/cluster/slurm.conf
trap '"$here/cluster.sh" stop "$folder/cluster"; kill $(jobs -p) 2> /dev/null || true' EXIT
"$here/cluster.sh" start "$folder/cluster" 32 400000

cd "$folder"
# what is in the queue: name, partition, CPUs, memory, state, comment
(while sleep 0.3; do squeue --noheader --format='%j %P %C %m %T %k'; done > queue.txt 2> /dev/null) &
# the training job is killed once, as an administrator or a failing node would do it
(
    while sleep 0.3; do
        job=$(squeue --noheader --state=RUNNING --format='%i %j' | awk '/MODEL_TRAIN/ {print $1; exit}')
        [[ -n $job ]] && sleep 1 && scancel "$job" && echo "$job" > killed.txt && break
    done
) &

code=0
"$here/../../semanticst" run -profile test,slurm -c "$here/test.config" --cluster_queue long \
    '--cluster_options=--comment=semanticst' --outdir results "$@" > run.log 2>&1 || code=$?
sort -u queue.txt | tee jobs.txt
trace=$(ls results/pipeline_info/execution_trace_*.txt)
column -t -s $'\t' "$trace" | cut -c 1-150

failed=0
check() { if eval "$2"; then echo "ok      $1"; else echo "FAILED  $1"; failed=1; fi; }
check "the run ended well" '[[ $code == 0 ]]'
check "jobs ran in the queue that was named, with the options that were given" \
    'grep -q "COHORT_SIMULATE.* long .* semanticst$" jobs.txt && ! grep -q " main " jobs.txt'
check "training asked for the 2 CPUs of the test profile and for little memory" 'grep -qE "MODEL_TRAIN.* long 2 2[0-9.]*[GM]" jobs.txt'
check "nothing asked for more than the test profile allows" \
    'awk "{m = \$4; sub(/[GM]$/, \"\", m); if (m / (\$4 ~ /M$/ ? 1024 : 1) > 8 || \$3 > 2) bad = 1} END {exit bad}" jobs.txt'
check "the training job was killed" '[[ -s killed.txt ]]'
check "and repeated with more" '(($(awk "/MODEL_TRAIN/ {print \$4}" jobs.txt | sort -u | wc -l) > 1)) && grep -q "MODEL_TRAIN.*COMPLETED" $trace'
check "a job over its memory was killed" 'grep -q "COHORT_SIMULATE.*FAILED" $trace'
check "and repeated with more" 'grep -q "COHORT_SIMULATE.* 2G" jobs.txt && grep -q "COHORT_SIMULATE.*COMPLETED" $trace'
check "the report is there" '[[ -s results/multiqc/multiqc_report.html ]]'
((failed)) && tail -n 40 run.log
exit $failed
