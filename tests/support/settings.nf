/*
 * What the configuration says, asked in one start of the engine: for every case of --cases (JSON) the settings of a process
 * under a profile, a file given by -c, a size of the cohort. Started by tests/pipeline/test_engine_settings.py; answers: --answers.
 */

include { bundlesOf      } from '../../subworkflows/local/utils_semanticst_pipeline/samples'
include { imageProblem   } from '../../subworkflows/local/utils_semanticst_pipeline/images'
include { lateParameters } from '../../subworkflows/local/utils_semanticst_pipeline/parameters'

// The configuration of the pipeline as `nextflow run -profile PROFILE -c FILE --NAME VALUE` has it
def configuration(asked) {
    def run = new nextflow.cli.CmdRun()
    run.profile = asked.profile
    run.params = asked.params ?: [:]
    def builder = new nextflow.config.ConfigBuilder()
    builder.setHomeDir(file('no home'))
    builder.setBaseDir(file(params.pipeline))
    builder.setCmdRun(run)
    // the strict parser of 25.04 looks for the profiles in the last file only
    builder.setValidateProfile(false)
    builder.setUserConfigFiles(asked.config ? [file(asked.config)] : [])
    return builder.build()
}

// A directive of a process: from withName, else from the last of its labels that has it, else from its module (the text of a
// closure), else the common one; in its context
def directive(process, asked, name, context) {
    def scopes = ["withName:${asked.process}".toString()] + asked.labels.reverse().collect { label -> "withLabel:${label}".toString() }
    def found = scopes.collect { scope -> process[scope] }.find { scope -> scope && scope.containsKey(name) }
    if (!found && asked.module && asked.module[name]) {
        def script = context.scripts.computeIfAbsent(asked.module[name]) { text -> new groovy.lang.GroovyShell().parse(text) }
        script.setBinding(new groovy.lang.Binding(context))
        return script.run()
    }
    def given = found ? found[name] : process[name]
    return given instanceof Closure ? given.cloneWith(context).call() : given
}

def settingsOf(asked, config, scripts) {
    def process = config.process
    def ext = process.ext + asked.labels.collect { label -> process["withLabel:${label}".toString()]?.ext ?: [:] }.inject([:]) { all, one -> all + one }
    def task = [executor: process.executor ?: 'local', attempt: asked.attempt ?: 1, exitStatus: asked.exit, ext: ext]
    def context = [task: task, meta: asked.meta ?: [:], params: config.params, workflow: [containerEngine: asked.engine], scripts: scripts]
    task.resourceLimits = directive(process, asked, 'resourceLimits', context) ?: [:]
    ['cpus', 'memory', 'time'].each { name ->
        def wanted = directive(process, asked, name, context)
        def limit = task.resourceLimits[name]
        task[name] = limit && wanted > limit ? limit : wanted
    }
    return [
        cpus: task.cpus,
        gigabytes: task.memory.toBytes() / 2 ** 30,
        hours: task.time.toMillis() / 3600000,
        errorStrategy: directive(process, asked, 'errorStrategy', context),
        executor: task.executor,
        queue: directive(process, asked, 'queue', context),
        clusterOptions: directive(process, asked, 'clusterOptions', context)?.toString(),
        containerOptions: directive(process, asked, 'containerOptions', context),
        accelerator: directive(process, asked, 'accelerator', context),
        container: directive(process, asked, 'container', context),
        late: lateParameters(config.params, ext.settled),
        images: asked.engine ? imageProblem(asked.engine, '0.1.0', config) : null,
        scopes: config.subMap(['aws', 'fusion', 'wave', 'docker', 'podman', 'singularity', 'apptainer', 'conda', 'params']),
        trace: config.trace.file.toString(),
    ]
}

workflow {
    def cases = new groovy.json.JsonSlurper().parse(file(params.cases))
    def configurations = [:]
    def scripts = [:]
    def answers = [
        machine: [cpus: nextflow.util.SysHelper.availCpus, gigabytes: nextflow.util.SysHelper.availMemory.toBytes() / 2 ** 30],
        settings: cases.settings.collectEntries { name, asked ->
            def key = [asked.profile, asked.config, asked.params]
            if (!configurations.containsKey(key)) {
                configurations[key] = configuration(asked)
            }
            [name, settingsOf(asked, configurations[key], scripts)]
        },
        bundles: cases.bundles.collectEntries { name, asked ->
            def entries = asked.names.collect { sample -> [sample, file(asked.large == sample ? asked.large_file : asked.file)] }
            [name, bundlesOf(entries, asked.size, asked.mb).collect { bundle -> bundle.collect { entry -> entry[0] } }]
        },
    ]
    file(params.answers).text = groovy.json.JsonOutput.toJson(answers)
}
