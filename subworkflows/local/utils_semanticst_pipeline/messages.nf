/*
 * What the run says at its start and at its end.
 */

include { pipelineName } from './provenance'

def parameterErrorMessage(problems) {
    def count = problems.size() == 1 ? '1 problem' : "${problems.size()} problems"
    return "${count} with the parameters:\n" + problems.collect { problem -> "  - ${problem}" }.join('\n')
}

def runSummary(changed) {
    def run = [
        'run name': workflow.runName,
        'profile': workflow.profile,
        'launched in': workflow.launchDir,
        'work folder': workflow.workDir,
        'container engine': workflow.containerEngine ?: 'none',
    ]
    def sections = ["${pipelineName()} ${workflow.manifest.version}": run] + changed
    def width = sections.values().collectMany { section -> section.keySet()*.size() }.max()
    return sections
        .collect { title, entries -> "${title}\n" + entries.collect { name, value -> "  ${name.padRight(width)} : ${value}\n" }.join('') }
        .join('')
}

// Called in workflow.onComplete, where the bare names of the engine are empty: it reads `workflow` itself
def completionMessage(outdir) {
    if (workflow.success) {
        def results = [
            report: 'multiqc/multiqc_report.html',
            niches: 'niches/niches.csv.gz',
            associations: 'association',
            'about the run': 'pipeline_info',
        ].findAll { _what, path -> file("${outdir}/${path}").exists() }
        return "Done in ${workflow.duration}.\n" + results.collect { what, path -> "  ${what.padRight(13)} ${outdir}/${path}" }.join('\n')
    }
    def advice = [
        2: 'A step was called in a way it does not know. Check the values in ext.args, or report this as a bug.',
        3: 'The input cannot be used as it is: the lines above that start with "-" name each problem. Correct them and start again with -resume.',
    ][workflow.exitStatus] ?: 'The message above names the step that failed and its work folder; .command.err there has its whole log. After a fix, start again with -resume.'
    return "Not finished.\n${advice}"
}
