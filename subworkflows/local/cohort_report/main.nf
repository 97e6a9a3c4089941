/*
 * One report of the run, and the record of what ran: versions, parameters, code.
 */

include { REPORT_MULTIQC   } from '../../../modules/local/report/multiqc'
include { REPORT_METHODS   } from '../../../modules/local/report/methods'
include { REPORT_QC        } from '../../../modules/local/report/qc'
include { codeDigest       } from '../utils_semanticst_pipeline/provenance'
include { pipelineName     } from '../utils_semanticst_pipeline/provenance'
include { summaryYaml      } from '../utils_semanticst_pipeline/provenance'
include { versionsYaml     } from '../utils_semanticst_pipeline/provenance'
include { workflowVersions } from '../utils_semanticst_pipeline/provenance'

workflow COHORT_REPORT {
    take:
    metrics  // list of {bundle}.qc.json, sorted by name
    maps     // list of {sample}.qc_map.png, sorted by name
    excluded // list of maps: samples that the samplesheet leaves out, with the reason
    sections // *_mqc.* files of all steps
    records  // tuple: cohort.features.json, niche_k.csv, list of {contrast}.association.json; each [] if the step did not run
    settings // map: every parameter in its own type
    changed  // map: group title -> parameters that differ from their default

    main:
    def run_versions = workflowVersions(settings.seed)
    def info = "${settings.outdir}/pipeline_info"
    def qc_code = codeDigest('REPORT_QC')
    def template = file("${projectDir}/assets/methods_description_template.yml")
    // the report of a run that stopped early has another title and says where to go on
    def config = ['multiqc_config'] + (settings.stop_after ? ["multiqc_config_${settings.stop_after}"] : [])
    config = config.collect { name -> file("${projectDir}/assets/${name}.yml") }
    def style = files("${projectDir}/assets/*.{css,png,svg}").sort()
    def own_config = settings.multiqc_config ? file(settings.multiqc_config, glob: false) : []
    def logo = settings.multiqc_logo ? file(settings.multiqc_logo, glob: false) : []
    def methods_code = codeDigest('REPORT_METHODS')
    def multiqc_code = codeDigest('REPORT_MULTIQC')

    REPORT_QC(
        metrics.map { files -> [files] }
            .combine(maps.map { files -> [files] })
            .combine(excluded.map { rows -> [rows] })
            .map { files, pictures, rows -> [[id: 'cohort', code: qc_code], files, pictures, rows] }
    )

    ch_parameters = channel
        .of(groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(settings)) + '\n')
        .collectFile(name: 'params.json', storeDir: info)

    // The topic closes when all steps that report to it have ended
    ch_tools = channel.topic('versions').toList().filter { tuples -> tuples }
    ch_tool_versions = ch_tools
        .map { tuples -> versionsYaml(tuples, run_versions.subMap(pipelineName(), 'Nextflow')) }
        .collectFile(name: 'versions.yml')
    REPORT_METHODS(
        ch_tool_versions
            .combine(ch_parameters)
            .combine(REPORT_QC.out.table.map { _meta, table -> table })
            .combine(records)
            .map { versions, parameters, qc, features, numbers, contrasts -> [[id: 'cohort', code: methods_code], versions, parameters, qc, features, numbers, contrasts, template] }
    )

    ch_sections = sections
        .mix(REPORT_QC.out.report.map { _meta, files -> files }, REPORT_METHODS.out.report.map { _meta, files -> files })
        .mix(ch_tools.map { tuples -> versionsYaml(tuples, run_versions) }.collectFile(name: 'software_versions_mqc_versions.yml'))
        .mix(channel.of(summaryYaml(changed)).collectFile(name: 'parameters_mqc.yaml'))
        .flatten()
        .toSortedList { a, b -> a.name <=> b.name }
    REPORT_MULTIQC(ch_sections.map { found -> [[id: 'cohort', code: multiqc_code], found, config, style, own_config, logo] })

    ch_tools
        .combine(REPORT_MULTIQC.out.versions.toList().map { tuples -> [tuples] })
        .map { entry -> versionsYaml(entry[0..-2] + entry[-1], run_versions) }
        .collectFile(name: 'software_versions.yml', storeDir: info)

    ch_report = REPORT_MULTIQC.out.report.map { _meta, report -> report }

    emit:
    ch_report // multiqc_report.html
}
