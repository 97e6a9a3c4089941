/*
 * What a run leaves in the output folder: pipeline_info/outputs.csv, the list of the files that it stands for, and the names
 * of those that it does not. `./semanticst verify` reads the same list.
 *
 * A process publishes by its `publishDir`; each subworkflow says the same once more as a channel of [folder, files], since
 * the engine does not tell what it published. tests/pipeline/test_engine_outputs.py compares the two.
 */

// Where results lie below --outdir. What else a user keeps there is nobody's business.
def resultFolders() {
    return ['association', 'explorer', 'exports', 'integration', 'multiqc', 'niches', 'pipeline_info', 'qc', 'simulated']
}

def listName() {
    return 'pipeline_info/outputs.csv'
}

// Files about the run itself; the engine writes its reports when everything else has ended, too late for a list
def isOwnRecord(name) {
    return name in [listName(), 'pipeline_info/running.json'] || name ==~ /pipeline_info\/(execution_(report|timeline|trace)|pipeline_dag)[^\/]*/
}

// [folder, files] of a process's output channel: where its publishDir puts them. Files of a folder keep their place in it.
def publishedIn(folder, results) {
    return results.map { _meta, files -> [folder, files] }
}

// Name below --outdir -> file in the work folder, sorted by name
def outputFiles(published) {
    return published
        .collectMany { folder, files -> files instanceof List ? files.collect { file -> [folder, file] } : [[folder, files]] }
        .collectMany { folder, file ->
            file.isDirectory()
                ? filesBelow(file).collect { inner -> ["${folder}/${file.relativize(inner)}".toString(), inner] }
                : [["${folder}/${file.name}".toString(), file]]
        }
        .sort { entry -> entry[0] }
        .collectEntries()
}

// Names of the files in the result folders of an output folder, sorted
def filesOfRuns(outdir) {
    def root = file(outdir, glob: false)
    return resultFolders()
        .collect { name -> root.resolve(name) }
        .findAll { folder -> folder.isDirectory() }
        .collectMany { folder -> filesBelow(folder) }
        .collect { path -> root.relativize(path).toString() }
        .findAll { name -> !isOwnRecord(name) }
        .sort()
}

// Names of files in the output folder that a run which made `published` does not stand for. While it runs, its report is
// not there yet, or is that of the run before, and so are the versions.
def leftOverBefore(outdir, published) {
    def expected = outputFiles(published).keySet() + ['pipeline_info/params.json', 'pipeline_info/software_versions.yml']
    return (filesOfRuns(outdir) - expected).findAll { name -> !name.startsWith('multiqc/') }
}

// MultiQC section that names them, as YAML; empty without any
def leftOverYaml(names) {
    if (!names) {
        return ''
    }
    def shown = names.take(50).collect { name -> name.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;').replaceAll(/\p{Cntrl}/, '?') }
    def more = names.size() > 50 ? ["and ${names.size() - 50} more"] : []
    def items = shown.collect { name -> "<code>${name}</code>" } + more
    return """\
id: 'left_over'
section_name: 'Files of earlier runs'
description: 'that lie in this output folder. This run did not make them, and they may contradict it. Delete them, or give each question an output folder of its own.'
plot_type: 'html'
data: |
    <ul>
${items.collect { item -> "    <li>${item}</li>" }.join('\n')}
    </ul>
"""
}

// Once the folder is this run's: say what it was started with, and take away what the run before said about it as a whole.
// A folder without a list is that of a run which has not ended well.
def openRecord(outdir, parameters) {
    def info = file(outdir, glob: false).resolve('pipeline_info')
    ['outputs.csv', 'software_versions.yml'].each { name -> java.nio.file.Files.deleteIfExists(info.resolve(name)) }
    writeWhole(info.resolve('params.json'), parameters)
}

// At the end: write pipeline_info/software_versions.yml and, the last of all, the list. Returns what a reader has to know:
// damaged, names of results that are not whole, of a file that could not be written with the reason; left, names of files of
// earlier runs. Nothing is written for a run that failed.
def closeRecord(outdir, published, versions) {
    if (!workflow.success) {
        return [damaged: [], left: []]
    }
    def root = file(outdir, glob: false)
    try {
        writeWhole(root.resolve('pipeline_info/software_versions.yml'), versions)
        def records = ['params.json', 'software_versions.yml'].collect { name -> ['pipeline_info', root.resolve("pipeline_info/${name}")] }
        def made = outputFiles(published + records)
        def damaged = notWhole(made, root)
        if (!damaged) {
            def lines = made.collect { name, source -> listLine(name, source, root.resolve(name)) }
            writeWhole(root.resolve(listName()), 'file,bytes,sha256\n' + lines.collect { line -> "${line}\n" }.join(''))
        }
        return [damaged: damaged, left: filesOfRuns(outdir) - made.keySet()]
    }
    catch (Exception unwritten) { // of a disk, or of an object store
        log.debug("The list of ${root} is not written", unwritten)
        return [damaged: ["${listName()} cannot be written: ${unwritten.message}".toString()], left: []]
    }
}

// Names of results that are not there or not as large as what was copied; after `move` only the result itself is there
def notWhole(made, root) {
    return made.findAll { name, source ->
        def result = root.resolve(name)
        !result.exists() || (source.exists() && result.size() != source.size())
    }.keySet().sort()
}

// Digest of what the step made, so that a copy that went wrong is found out. To digest a file of an object store would be to
// fetch all of it: there its size has to do.
def listLine(name, source, result) {
    def near = [source, result].find { path -> isLocal(path) && path.exists() }
    def quoted = name =~ /[",\n\r]/ ? '"' + name.replace('"', '""') + '"' : name
    return [quoted, result.size(), near ? sha256(near) : ''].join(',')
}

def sha256(path) {
    def sha = java.security.MessageDigest.getInstance('SHA-256')
    path.eachByte(1 << 20) { buffer, length -> sha.update(buffer, 0, length) }
    return sha.digest().encodeHex().toString()
}

// A file appears under its name when it is whole
def writeWhole(path, text) {
    if (!isLocal(path)) {
        path.setText(text, 'UTF-8') // an object store shows nothing before it has all
        return path
    }
    java.nio.file.Files.createDirectories(path.parent)
    def partial = path.resolveSibling(".${path.name}.partial")
    java.nio.file.Files.writeString(partial, text)
    java.nio.file.Files.move(partial, path, java.nio.file.StandardCopyOption.REPLACE_EXISTING)
    return path
}

// Files of an earlier run that its niches are compared by: niches.csv.gz, and niche_names.csv if it has one
def earlierNiches(folder, outdir) {
    def root = file(folder, glob: false).toAbsolutePath().normalize()
    if (root == file(outdir, glob: false).toAbsolutePath().normalize()) {
        exit(2, "--niche_earlier ${folder} is the output folder of this run, which writes its own niches there. Give this run another --outdir.")
    }
    def niches = root.resolve('niches/niches.csv.gz')
    if (!niches.exists()) {
        exit(3, "--niche_earlier ${folder}: there is no niches/niches.csv.gz in it. Give the output folder of a run that has ended.")
    }
    return [niches, root.resolve('niches/niche_names.csv')].findAll { path -> path.exists() }
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
