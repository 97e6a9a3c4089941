/*
 * One report of the run, and the record of what ran: versions, parameters, code.
 */

include { REPORT_MULTIQC   } from '../../../modules/local/report/multiqc'
include { REPORT_METHODS   } from '../../../modules/local/report/methods'
include { REPORT_QC        } from '../../../modules/local/report/qc'
include { REPORT_SUMMARY   } from '../../../modules/local/report/summary'
include { asset            } from '../utils_semanticst_pipeline/paths'
include { codeDigest       } from '../utils_semanticst_pipeline/provenance'
include { leftOverBefore   } from '../utils_semanticst_pipeline/outputs'
include { leftOverYaml     } from '../utils_semanticst_pipeline/outputs'
include { publishedIn      } from '../utils_semanticst_pipeline/outputs'
include { parametersJson   } from '../utils_semanticst_pipeline/provenance'
include { pipelineName     } from '../utils_semanticst_pipeline/provenance'
include { stageable        } from '../utils_semanticst_pipeline/paths'
include { summaryYaml      } from '../utils_semanticst_pipeline/provenance'
include { versionsYaml     } from '../utils_semanticst_pipeline/provenance'
include { workflowVersions } from '../utils_semanticst_pipeline/provenance'

workflow COHORT_REPORT {
    take:
    metrics  // list of {bundle}.qc.json, sorted by name
    maps     // list of {sample}.qc_map.png, sorted by name
    excluded // list of maps: samples that the samplesheet leaves out, with the reason
    sexes    // map: patient -> female or male, where the tables tell it
    sections // *_mqc.* files of all steps
    described // list: niche_overview.csv, niche_counts.csv, niches.csv.gz, niche_k.csv, niche_cautions.json; [] if no niches were sought
    records  // tuple: cohort.features.json, niche_k.csv, list of {contrast}.association.json; each [] if the step did not run
    outputs  // [folder below --outdir, files] of what the other parts publish
    names    // names of niches (CSV), or []
    settings // map: every parameter in its own type
    changed  // map: group title -> parameters that differ from their default

    main:
    def run_versions = workflowVersions(settings.seed)
    def qc_code = codeDigest('REPORT_QC')
    def template = asset('methods_description_template.yml')
    // the report of a run that stopped early has another title and says where to go on
    def config = ['multiqc_config'] + (settings.stop_after ? ["multiqc_config_${settings.stop_after}"] : [])
    config = config.collect { name -> asset("${name}.yml") }
    def style = ['multiqc_style.css', 'nf-semanticst_logo.png', 'nf-semanticst_logo.svg'].collect { name -> asset(name) }
    def own_config = settings.multiqc_config ? stageable(file(settings.multiqc_config, glob: false)) : []
    def logo = settings.multiqc_logo ? stageable(file(settings.multiqc_logo, glob: false)) : []
    def methods_code = codeDigest('REPORT_METHODS')
    def multiqc_code = codeDigest('REPORT_MULTIQC')
    def summary_code = codeDigest('REPORT_SUMMARY')

    REPORT_QC(
        metrics.map { files -> [files] }
            .combine(maps.map { files -> [files] })
            .combine(excluded.map { rows -> [rows] })
            .combine(sexes.map { told -> [told] })
            .map { files, pictures, rows, told -> [[id: 'cohort', code: qc_code], files, pictures, rows, told] }
    )

    REPORT_SUMMARY(
        REPORT_QC.out.table
            .map { _meta, table -> [table] }
            .combine(described.map { files -> [files] })
            .combine(records)
            .map { qc, files, _features, _numbers, contrasts -> [[id: 'cohort', code: summary_code], qc, files, contrasts, names] }
    )

    ch_parameters = channel.of(parametersJson(settings)).collectFile(name: 'params.json')

    // The topic closes when all steps that report to it have ended
    ch_tools = channel.topic('versions').toList().filter { reported -> reported }
    ch_tool_versions = ch_tools
        .map { reported -> versionsYaml(reported, run_versions.subMap(pipelineName(), 'Nextflow')) }
        .collectFile(name: 'versions.yml')
    REPORT_METHODS(
        ch_tool_versions
            .combine(ch_parameters)
            .combine(REPORT_QC.out.table.map { _meta, table -> table })
            .combine(records)
            .map { versions, parameters, qc, features, numbers, contrasts -> [[id: 'cohort', code: methods_code], versions, parameters, qc, features, numbers, contrasts, template] }
    )

    // Listing the folder waits for all steps: only then is it known what this run makes
    ch_made = outputs.mix(
        publishedIn('qc', REPORT_QC.out.table),
        publishedIn('qc', REPORT_QC.out.thresholds),
        publishedIn('multiqc', REPORT_SUMMARY.out.summary),
        publishedIn('multiqc', REPORT_SUMMARY.out.maps),
    )
    ch_left_over = ch_made
        .toList()
        .map { published -> leftOverYaml(leftOverBefore(settings.outdir, published)) }
        .filter { yaml -> yaml }
        .collectFile(name: 'left_over_mqc.yaml')

    ch_sections = sections
        .mix(ch_left_over)
        .mix(
            REPORT_QC.out.report.map { _meta, files -> files },
            REPORT_SUMMARY.out.report.map { _meta, files -> files },
            REPORT_METHODS.out.report.map { _meta, files -> files },
        )
        .mix(ch_tools.map { reported -> versionsYaml(reported, run_versions) }.collectFile(name: 'software_versions_mqc_versions.yml'))
        .mix(channel.of(summaryYaml(changed)).collectFile(name: 'parameters_mqc.yaml'))
        .flatten()
        .toSortedList { a, b -> a.name <=> b.name }
    REPORT_MULTIQC(ch_sections.map { found -> [[id: 'cohort', code: multiqc_code], found, config, style, own_config, logo] })

    ch_versions = ch_tools
        .combine(REPORT_MULTIQC.out.versions.toList().map { reported -> [reported] })
        .map { entry -> versionsYaml(entry[0..-2] + entry[-1], run_versions) }

    ch_report = REPORT_MULTIQC.out.report.map { _meta, report -> report }

    ch_outputs = ch_made.mix(
        publishedIn('multiqc', REPORT_MULTIQC.out.report),
        publishedIn('multiqc/multiqc_report_data', REPORT_MULTIQC.out.data),
        publishedIn('multiqc/multiqc_report_plots', REPORT_MULTIQC.out.plots),
    )

    emit:
    ch_report // multiqc_report.html
    ch_versions // text of software_versions.yml
    ch_outputs // [folder below --outdir, files] of everything that is published
}
