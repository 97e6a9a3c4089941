/*
 * Paths as users have them: spaces, quotes, brackets, braces, `$`.
 *
 * The engine escapes spaces and quotes in the shell lines that bring a file to a task or a task to its folder, but neither
 * wildcards nor braces nor `$`: `ln -s /data/run[1]/x` takes /data/run1/x where that exists, without a word.
 */

// A file that tasks can be given. Where the engine's shell line would mean another one, it is the
// same file under a plain name in the work folder. No symbolic link: the engine looks through these.
def stageable(path) {
    def unsafe = '[$*?\\[\\]{}\t\n\r]'
    if (!isLocal(path) || !(path.fileName.toString() + realName(path) =~ unsafe)) {
        return path
    }
    if (workflow.containerEngine || !isLocal(workflow.workDir)) {
        // a container sees the folder of its input and not what a link there points to
        if (realName(path) =~ '[${}\t\n\r]') {
            exit(3, "${realName(path)}: with ${workflow.containerEngine ?: 'a remote work folder'} no path may hold \$, { or }. Rename the folder or the file.")
        }
        return path
    }
    def twin = workflow.workDir.resolve("inputs/${path.toString().md5()}/${path.name.replaceAll(unsafe, '_')}")
    twin.parent.mkdirs()
    if (!path.isDirectory()) {
        linkFile(path, twin)
        return twin
    }
    // what is no longer there goes, the rest stays: the engine looks at the folder's own time
    twin.mkdirs()
    filesBelow(twin).findAll { place -> !path.resolve(twin.relativize(place).toString()).exists() }.each { place -> place.delete() }
    filesBelow(path).each { file ->
        def place = twin.resolve(path.relativize(file).toString())
        place.parent.mkdirs()
        linkFile(file, place)
    }
    return twin
}

// What a path is called once all links in it are followed, as the engine does
def realName(path) {
    return path.exists() ? path.toRealPath().toString() : path.toString()
}

// The same file under another name; on another disk a copy with the time of the original, made anew when that changed
def linkFile(path, twin) {
    if (twin.exists() && twin.size() == path.size() && twin.lastModified() == path.lastModified()) {
        return
    }
    java.nio.file.Files.deleteIfExists(twin)
    try {
        java.nio.file.Files.createLink(twin, path.toRealPath())
    }
    catch (IOException otherDisk) {
        log.debug("${path} is copied, it cannot be linked: ${otherDisk.message}")
        java.nio.file.Files.copy(path, twin, java.nio.file.StandardCopyOption.COPY_ATTRIBUTES)
    }
}

// A file of assets/
def asset(name) {
    return stageable(file("${projectDir}/assets/${name}", glob: false))
}

// Folders in which no task could run, one sentence each. `words`: those of assets/parameter_words.json, which the launcher
// reads as well; the work folder as it is given or as the engine finds it behind links
def folderProblems(words) {
    def work = isLocal(workflow.workDir) ? [workflow.workDir.toString(), realName(workflow.workDir)] : []
    return [work: work, pipeline: [projectDir.toString()]].collectMany { what, names ->
        def odd = names.find { name -> (name =~ words[what].signs).find() }
        odd ? [words[what].say.replace('{folder}', odd)] : []
    }
}

// No module that several others include may include one itself: the strict parser of 25.04 would run it once for each of
// them, and end at the second. So the two functions below stand in paths.nf, samples.nf and outputs.nf.
def isLocal(path) {
    return path.fileSystem == java.nio.file.FileSystems.getDefault()
}

// All files of a folder and of the folders in it, sorted
def filesBelow(folder) {
    def found = []
    folder.eachFileRecurse(groovy.io.FileType.FILES) { file -> found << file }
    return found.sort()
}
