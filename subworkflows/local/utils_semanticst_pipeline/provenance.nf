/*
 * Which code ran: digests that make -resume notice an edited library, versions, and the record of a run.
 *
 * The engine's task hash knows the scripts in bin/, not the modules that they import. assets/library_use.json lists per
 * process the files of bin/semanticst that its script imports (a test keeps the list true); their digest is part of the
 * task's input.
 */

def libraryUse() {
    return new groovy.json.JsonSlurper().parse(file("${projectDir}/assets/library_use.json", glob: false).toFile())
}

// Every parameter with its value, for pipeline_info/params.json and the methods text
def parametersJson(settings) {
    return groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(settings)) + '\n'
}

// Digest of the script of a process and of the library files that it imports
def codeDigest(process_name) {
    def imported = libraryUse()[process_name].collect { name -> file("${projectDir}/bin/semanticst/${name}", glob: false) }
    return digest(imported + [file("${projectDir}/bin/${process_name.toLowerCase()}.py", glob: false)])
}

// Digest of all code that tasks run
def pipelineDigest() {
    def code = []
    file("${projectDir}/bin", glob: false).eachFileRecurse(groovy.io.FileType.FILES) { path -> code << path }
    return digest(code)
}

def digest(paths) {
    def sha = java.security.MessageDigest.getInstance('SHA-256')
    def root = file(projectDir, glob: false)
    paths
        .findAll { path -> !path.toString().contains('__pycache__') }
        .sort { path -> path.toString() }
        .each { path ->
            sha.update(root.relativize(path).toString().getBytes('UTF-8'))
            sha.update(path.bytes)
        }
    return sha.digest().encodeHex().toString().take(16)
}

// The commit of a run that the engine fetched, or of a local clone; null when neither is known
def codeRevision() {
    if (workflow.commitId) {
        return workflow.commitId
    }
    def head = file("${projectDir}/.git/HEAD", glob: false)
    if (!head.exists()) {
        return null
    }
    def text = head.text.trim()
    if (!text.startsWith('ref: ')) {
        return text
    }
    def reference = text - 'ref: '
    def loose = file("${projectDir}/.git/${reference}", glob: false)
    def packed = file("${projectDir}/.git/packed-refs", glob: false)
    if (loose.exists()) {
        return loose.text.trim()
    }
    def line = packed.exists() ? packed.readLines().find { candidate -> candidate.endsWith(" ${reference}") } : null
    return line ? line.tokenize(' ')[0] : null
}

// The manifest has organisation/pipeline
def pipelineName() {
    return workflow.manifest.name.tokenize('/').last()
}

// What is known about the run before any task has run
def workflowVersions(seed) {
    def versions = [(pipelineName()): workflow.manifest.version, Nextflow: workflow.nextflow.version.toString()]
    def revision = codeRevision()
    if (revision) {
        versions.revision = revision.take(10)
    }
    return versions + [code: pipelineDigest(), seed: seed.toString()]
}

// YAML, process -> tool -> version, from pairs (process, lines `tool: version`) in any order
def versionsYaml(reported, workflow_versions) {
    def tools = reported
        .groupBy { entry -> entry[0].tokenize(':')[-1] }
        .sort()
        .collectEntries { process_name, entries ->
            def lines = entries.collectMany { entry -> entry[1].readLines() }
            [process_name, lines.collectEntries { line -> line.tokenize(': ') }.sort()]
        }
    return (tools + [Workflow: workflow_versions])
        .collect { section, versions -> "${section}:\n" + versions.collect { tool, version -> "  ${tool}: \"${version}\"\n" }.join('') }
        .join('')
}

// MultiQC section: parameters that differ from their default
def summaryYaml(changed) {
    def rows = changed
        .collectMany { title, parameters -> parameters.collect { name, value -> "    <tr><td>${title}</td><td><code>${name}</code></td><td>${escaped(value)}</td></tr>" } }
        .join('\n')
    return """\
id: 'parameters'
section_name: 'Parameters'
description: 'that differ from their default'
plot_type: 'html'
data: |
    <table class="table table-sm">
    <tr><th>Group</th><th>Parameter</th><th>Value</th></tr>
${rows}
    </table>
"""
}

def escaped(value) {
    return value.toString().replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')
}
