#!/usr/bin/env bash
# A Slurm cluster of this one machine, for tests: Debian's packages slurmctld, slurmd, slurm-client and munge; root.
#   tests/slurm/cluster.sh start FOLDER [CPUS MEMORY_MB]     then: export SLURM_CONF=FOLDER/slurm.conf
#   tests/slurm/cluster.sh stop FOLDER
# Everything lies in FOLDER, on ports and sockets of its own. The node may claim more than the machine has.
set -euo pipefail
folder=$(mkdir -p "$2" && realpath "$2")

start() {
    local host cpus=${1:-$(nproc)} memory=${2:-$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 - 512))}
    host=$(hostname -s)
    mkdir -p "$folder"/{state,spool,munge}
    chmod 700 "$folder/munge"
    head -c 1024 /dev/urandom > "$folder/munge/key"
    chmod 600 "$folder/munge/key"
    cat > "$folder/slurm.conf" << CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthInfo=socket=$folder/munge/socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
# a job that uses more memory than it asked for is killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/jobs.txt
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory
PartitionName=long Nodes=$host MaxTime=INFINITE
PartitionName=main Nodes=$host MaxTime=INFINITE Default=YES
CONF
    munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
        --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
    slurmctld -f "$folder/slurm.conf"
    slurmd -f "$folder/slurm.conf"
    for _ in $(seq 30); do
        SLURM_CONF=$folder/slurm.conf sinfo --noheader --format=%t 2> /dev/null | grep -q idle && return
        sleep 1
    done
    tail -n 20 "$folder"/slurm*.log >&2
    echo "the cluster did not come up" >&2
    return 1
}

stop() {
    for pid in "$folder"/slurmd.pid "$folder"/slurmctld.pid "$folder"/munge/pid; do
        [[ -f $pid ]] && kill "$(< "$pid")" || true
    done
}

"$1" "${@:3}"
