/*
 * What the run says at its start and at its end.
 */

include { filled       } from './parameters'
include { isLocal      } from './paths'
include { pipelineName } from './provenance'

def parameterErrorMessage(problems, words) {
    def count = problems.size() == 1 ? words.one : filled(words.several, [count: problems.size()])
    return ([count] + problems.collect { problem -> filled(words.line, [problem: problem]) }).join('\n')
}

def runSummary(settings, changed) {
    def run = [
        'run name': workflow.runName,
        'profile': workflow.profile,
        'launched in': workflow.launchDir,
        'work folder': workflow.workDir,
        'container engine': workflow.containerEngine ?: 'none',
    ]
    // what an institution's configuration says about itself
    def institution = [settings.config_profile_name, settings.config_profile_description, settings.config_profile_contact, settings.config_profile_url].findAll()
    if (institution) {
        run.configuration = institution.join(', ')
    }
    def rest = changed
        .collectEntries { title, given -> [title, given.findAll { name, _value -> !name.startsWith('config_profile_') }] }
        .findAll { _title, given -> given }
    def sections = ["${pipelineName()} ${workflow.manifest.version}": run] + rest
    def width = sections.values().collectMany { section -> section.keySet()*.size() }.max()
    return sections
        .collect { title, entries -> "${title}\n" + entries.collect { name, value -> "  ${name.padRight(width)} : ${value}\n" }.join('') }
        .join('')
}

// Called in workflow.onComplete, where the bare names of the engine are empty: it reads `workflow` itself
def completionMessage(settings, state) {
    if (workflow.success && state.damaged) {
        return (["Not finished: the steps are done, the output folder is not whole.${folderMessage(state)}"] + fullDisks(settings.outdir)).join('\n')
    }
    if (workflow.success) {
        return (settings.stop_after == 'qc' ? signOffMessage(settings.outdir) : doneMessage(settings.outdir)) + folderMessage(state)
    }
    def advice = adviceAfter(workflow.exitStatus)
    return (['Not finished.', advice] + fullDisks(settings.outdir)).join('\n')
}

// What a user can do, by the exit code of the step that failed
def adviceAfter(exit_status) {
    return [
        2: 'A step was called in a way it does not know. Check the values in ext.args, or report this as a bug.',
        3: 'The input cannot be used as it is: the lines above that start with "-" name each problem. Correct them and start again with -resume.',
        4: 'Results cannot be written: the line above that starts with "ERROR" names the disk and what is needed. Make room and start again with -resume: finished steps are kept.',
        137: 'A step had too little memory, as it says itself or as it was killed for. Give it more (docs/usage.md, "Out of memory"), then start again with -resume.',
    ][exit_status] ?: 'The message above names the step that failed and its work folder; .command.err there has its whole log. After a fix, start again with -resume.'
}

// Disks of this run that have next to nothing left: whatever failed, this is probably why
def fullDisks(outdir) {
    def places = [
        'work folder': workflow.workDir,
        'output folder': file(outdir, glob: false),
        'folder of the launch': workflow.launchDir,
        'temporary folder': file(System.getProperty('java.io.tmpdir'), glob: false),
    ]
    def disks = places.findAll { _what, path -> isLocal(path) }.collectEntries { what, path -> [what, existing(path).toFile()] }
    return disks
        .findAll { _what, folder -> folder.usableSpace < 50_000_000 }
        .collect { what, folder -> "The disk of the ${what} (${folder}) is full: ${kilobytes(folder.usableSpace)} of ${kilobytes(folder.totalSpace)} are free." }
}

// The path, or the nearest folder above it that is there
def existing(path) {
    return path == null || path.exists() ? path : existing(path.toAbsolutePath().parent)
}

def kilobytes(bytes) {
    return String.format(java.util.Locale.ROOT, '%,d kB', bytes.intdiv(1000))
}

def doneMessage(outdir) {
    def results = [
        report: 'multiqc/multiqc_report.html',
        niches: 'niches/niches.csv.gz',
        associations: 'association',
        'about the run': 'pipeline_info',
    ]
    return "Done in ${workflow.duration}.\n${found(results, outdir)}${cautionList(outdir)}"
}

// What the first page of the report warns of, for who reads only here
def cautionList(outdir) {
    def summary = file("${outdir}/multiqc/summary.json", glob: false)
    def text = summary.exists() ? summary.text : ''
    def cautions = text ? new groovy.json.JsonSlurper().parseText(text).cautions*.text : []
    def lines = nameList(cautions.collect { caution -> "- ${caution}" }, 'the report has them all')
    return cautions ? "\nThe report warns:${lines}" : ''
}

// Names what a run up to the quality control made, not what an earlier run may have left in the same folder
def signOffMessage(outdir) {
    def results = [
        report: 'multiqc/multiqc_report.html',
        samples: 'qc/qc.csv',
        samplesheet: 'pipeline_info/samplesheet.used.csv',
    ]
    return """\
Quality control is done in ${workflow.duration}; nothing after it was run, as --stop_after qc asks.
${found(results, outdir)}
To go on: look at the report. To leave a sample out, write the reason into the column 'exclude' of the samplesheet.
Then give the same command without --stop_after qc and with -resume: what was done is not done again."""
}

def found(results, outdir) {
    return results
        .findAll { _what, path -> file("${outdir}/${path}", glob: false).exists() }
        .collect { what, path -> "  ${what.padRight(13)} ${outdir}/${path}" }
        .join('\n')
}

// What is wrong in the output folder; empty if all there is what this run made
def folderMessage(state) {
    def damaged = state.damaged ? "\nERROR: not whole in the output folder, start again with -resume:${nameList(state.damaged)}" : ''
    def left = state.left ? "\nWARNING: of earlier runs, no result of this one:${nameList(state.left)}" : ''
    return damaged + left
}

def nameList(names, all = './semanticst verify names them all') {
    def more = names.size() > 20 ? "\n  and ${names.size() - 20} more: ${all}" : ''
    return names.take(20).collect { name -> "\n  ${name}" }.join('') + more
}
