/*
 * What the workflow's own check says about many command lines, in one start of the engine: for test_parameter_check.py.
 * Each is read by the engine's own classes, so that the launcher's reading of it is compared as well. What a run says when
 * it failed is asked for on the way.
 */

include { readJson              } from '../../../subworkflows/local/utils_semanticst_pipeline/parameters'
include { parameterProblems     } from '../../../subworkflows/local/utils_semanticst_pipeline/parameters'
include { parameterHelp         } from '../../../subworkflows/local/utils_semanticst_pipeline/parameters'
include { parameterErrorMessage } from '../../../subworkflows/local/utils_semanticst_pipeline/messages'
include { adviceAfter           } from '../../../subworkflows/local/utils_semanticst_pipeline/messages'
include { fullDisks             } from '../../../subworkflows/local/utils_semanticst_pipeline/messages'
include { folderProblems        } from '../../../subworkflows/local/utils_semanticst_pipeline/paths'

workflow {
    main:
    def root = file("${projectDir}/../../..")
    def schema = readJson("${root}/nextflow_schema.json")
    def words = readJson("${root}/assets/parameter_words.json")
    def cases = readJson(System.getenv('CASES'))
    def configured = [:] // profiles -> their parameters: reading a configuration takes longest
    def answers = [
        lines: cases.lines.collect { line ->
            def given = givenBy(line, root, configured)
            def problems = parameterProblems(given, schema, words)
            [given: given.collectEntries { name, value -> [name, "${value}".toString()] }, message: problems ? parameterErrorMessage(problems, words.problems) : '']
        },
        topics: cases.topics.collect { topic -> parameterHelp(schema, topic, words) },
        options: optionsOfRun(),
        advice: [1, 2, 3, 4, 137].collectEntries { code -> [code, adviceAfter(code)] },
        folders: folderProblems(words.folders),
        disks: [fullDisks('results'), fullDisks('/proc/results')],
    ]
    file(System.getenv('ANSWERS')).text = groovy.json.JsonOutput.toJson(answers)
}

// Parameters of a command line: of the profiles, of a file, and its own, as the engine joins them
def givenBy(line, root, configured) {
    def launcher = new nextflow.cli.Launcher()
    launcher.parseMainArgs((['run', 'pipeline'] + line) as String[])
    def run = launcher.@command
    def names = run.profile ?: 'standard'
    if (!configured.containsKey(names)) {
        def parser = nextflow.config.ConfigParserFactory.create().setProfiles(names.tokenize(','))
        configured[names] = parser.setBinding([projectDir: root, baseDir: root, launchDir: file('.')]).parse(root.resolve('nextflow.config')).params
    }
    return configured[names] + run.parsedParams([projectDir: root, baseDir: root, launchDir: file('.').toRealPath()])
}

// Name -> does it take a value?
def optionsOfRun() {
    def command = new nextflow.cli.Launcher().@jcommander.commands['run']
    return command.parameters.collectMany { option ->
        def annotation = option.parameter
        def flag = option.parameterized.type in [boolean, Boolean] && annotation.arity() != 1
        option.names.tokenize(', ').collect { name -> [name, !flag] }
    }.collectEntries { entry -> entry }
}
