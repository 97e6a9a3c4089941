/*
 * One run at a time writes into an output folder. Two would overwrite each other's files, and the folder would be neither's.
 */

include { isLocal } from './paths'

def lockName() {
    return 'pipeline_info/running.json'
}

// Take the folder for this run. Null, or a sentence that names the run that has it. Object stores have no locks: not looked at.
def outdirTakenBy(outdir) {
    def lock = file(outdir, glob: false).resolve(lockName())
    if (!isLocal(lock)) {
        return null
    }
    def left = lock.exists()
    def holder = holderOf(lock)
    if (holder) {
        return "Another run writes into ${file(outdir, glob: false)}: '${holder.run}', started ${holder.since} in ${holder.folder} on ${holder.host} (process ${holder.pid}).\n" +
            "Wait for its end or give another --outdir. If it has ended without a word, delete ${lock} and start again."
    }
    def process = ProcessHandle.current()
    def own = [run: workflow.runName, host: hostName(), pid: process.pid(), process_start: startOf(process), since: workflow.start.toString(), folder: workflow.launchDir.toString()]
    try {
        java.nio.file.Files.createDirectories(lock.parent)
        if (left) { // of a dead run; one that appeared since then is another run's, and the next line finds it
            java.nio.file.Files.deleteIfExists(lock)
        }
        java.nio.file.Files.write(lock, (groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(own)) + '\n').getBytes('UTF-8'), java.nio.file.StandardOpenOption.CREATE_NEW)
    }
    catch (java.nio.file.FileAlreadyExistsException _raced) {
        return outdirTakenBy(outdir)
    }
    keepFresh(lock)
    return null
}

// The run that holds a lock, if it still goes on: on this machine its process, elsewhere a sign of life in the last minutes
def holderOf(lock) {
    def holder = readLock(lock)
    if (!holder) {
        return null
    }
    if (holder.host == hostName()) {
        def process = ProcessHandle.of(holder.pid as long).orElse(null)
        return process && startOf(process) == holder.process_start ? holder : null
    }
    return System.currentTimeMillis() - lock.lastModified() < 5 * 60 * 1000L ? holder : null
}

// Null where there is none, or one whose writing was cut short
def readLock(lock) {
    try {
        return lock.exists() ? new groovy.json.JsonSlurper().parseText(lock.text) : null
    }
    catch (Exception unreadable) {
        log.debug("${lock} is not whole: ${unreadable.message}")
        return null
    }
}

// Numbers of processes come back, after a restart of the machine soon
def startOf(process) {
    return process.info().startInstant().map { instant -> instant.toString() }.orElse('')
}

// Another machine cannot ask for our process: it looks at the time of the lock
def keepFresh(lock) {
    def touch = { ->
        if (lock.exists()) {
            lock.setLastModified(System.currentTimeMillis())
        }
    }
    new Timer(true).schedule(touch as TimerTask, 30000L, 30000L)
}

def releaseOutdir(outdir) {
    def lock = file(outdir, glob: false).resolve(lockName())
    if (isLocal(lock) && readLock(lock)?.run == workflow.runName) {
        lock.delete()
    }
}

def hostName() {
    def kernel = new File('/proc/sys/kernel/hostname')
    return kernel.exists() ? kernel.text.trim() : java.net.InetAddress.getLocalHost().hostName
}
