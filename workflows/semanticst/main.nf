/*
 * The analysis: from a samplesheet to niches, their association with outcome, and a report. --stop_after qc ends it with the
 * report of the quality control, for somebody to sign off before the expensive part.
 */

include { COHORT_INPUT     } from '../../subworkflows/local/cohort_input'
include { SAMPLE_PREPARE   } from '../../subworkflows/local/sample_prepare'
include { COHORT_GRAPHS    } from '../../subworkflows/local/cohort_graphs'
include { COHORT_INTEGRATE } from '../../subworkflows/local/cohort_integrate'
include { NICHE_OUTCOME    } from '../../subworkflows/local/niche_outcome'
include { COHORT_EXPORT    } from '../../subworkflows/local/cohort_export'
include { COHORT_REPORT    } from '../../subworkflows/local/cohort_report'
include { earlierNiches    } from '../../subworkflows/local/utils_semanticst_pipeline/outputs'
include { stageable        } from '../../subworkflows/local/utils_semanticst_pipeline/paths'

workflow SEMANTICST {
    take:
    settings // map: every parameter in its own type
    changed  // map: group title -> parameters that differ from their default

    main:
    def bundle = [size: settings.sample_bundle_size, mb: settings.sample_bundle_mb]
    def model = settings.model ? stageable(file(settings.model, glob: false)) : []
    def markers = settings.cell_type_markers ? stageable(file(settings.cell_type_markers, glob: false)) : []
    def gene_sets = settings.clinical_gene_sets ? stageable(file(settings.clinical_gene_sets, glob: false)) : []
    def names = settings.niche_names ? stageable(file(settings.niche_names, glob: false)) : []
    def earlier = settings.niche_earlier ? earlierNiches(settings.niche_earlier, settings.outdir).collect { file -> stageable(file) } : []

    COHORT_INPUT(settings, names)

    SAMPLE_PREPARE(COHORT_INPUT.out.ch_samples, markers, model, bundle)

    ch_sections = channel.empty()
    ch_outputs = COHORT_INPUT.out.ch_outputs.mix(SAMPLE_PREPARE.out.ch_outputs)
    // what the steps recorded for the methods text: cohort.features.json, niche_k.csv, list of {contrast}.association.json
    ch_records = channel.of([[], [], []])
    // tables of the niches that the report as a whole is made of
    ch_described = channel.of([])

    if (settings.stop_after != 'qc') {
        ch_samples = SAMPLE_PREPARE.out.ch_samples.map { files -> files ?: exit(3, 'No sample is left after quality control. The report of --stop_after qc shows why; lower --qc_min_cells, or see what is wrong with the samples') }

        COHORT_GRAPHS(ch_samples, SAMPLE_PREPARE.out.ch_size, model, bundle)

        COHORT_INTEGRATE(
            ch_samples,
            SAMPLE_PREPARE.out.ch_size,
            COHORT_GRAPHS.out.ch_graphs,
            COHORT_GRAPHS.out.ch_basis,
            model,
            settings.train_mode,
            settings.train_denoised,
        )

        NICHE_OUTCOME(
            COHORT_INTEGRATE.out.ch_cohort,
            SAMPLE_PREPARE.out.ch_size,
            COHORT_INTEGRATE.out.ch_niches,
            COHORT_INTEGRATE.out.ch_stability,
            COHORT_INTEGRATE.out.ch_members,
            COHORT_INTEGRATE.out.ch_numbers,
            COHORT_INPUT.out.ch_contrasts,
            COHORT_INPUT.out.ch_tables,
            COHORT_INPUT.out.ch_planted,
            SAMPLE_PREPARE.out.ch_thumbnails,
            gene_sets,
            names,
            earlier,
        )

        COHORT_EXPORT(
            COHORT_INTEGRATE.out.ch_cohort,
            NICHE_OUTCOME.out.ch_annotated,
            ch_samples,
            SAMPLE_PREPARE.out.ch_size,
            NICHE_OUTCOME.out.ch_markers,
            COHORT_INPUT.out.ch_shared,
            NICHE_OUTCOME.out.ch_records,
            SAMPLE_PREPARE.out.ch_thumbnails,
            names,
            settings,
        )

        ch_sections = COHORT_GRAPHS.out.ch_report.mix(COHORT_INTEGRATE.out.ch_report, NICHE_OUTCOME.out.ch_report)
        ch_records = COHORT_GRAPHS.out.ch_record
            .combine(COHORT_INTEGRATE.out.ch_numbers)
            .combine(NICHE_OUTCOME.out.ch_records.map { files -> [files] })
        ch_described = NICHE_OUTCOME.out.ch_shown.combine(COHORT_INTEGRATE.out.ch_cautions)
        ch_outputs = ch_outputs.mix(COHORT_GRAPHS.out.ch_outputs, COHORT_INTEGRATE.out.ch_outputs, NICHE_OUTCOME.out.ch_outputs, COHORT_EXPORT.out.ch_outputs)
    }

    COHORT_REPORT(
        SAMPLE_PREPARE.out.ch_metrics,
        SAMPLE_PREPARE.out.ch_maps,
        COHORT_INPUT.out.ch_excluded,
        COHORT_INPUT.out.ch_sexes,
        ch_sections,
        ch_described,
        ch_records,
        ch_outputs,
        names,
        settings,
        changed,
    )

    ch_published = COHORT_REPORT.out.ch_outputs
    ch_versions = COHORT_REPORT.out.ch_versions

    emit:
    ch_published // [folder below --outdir, files] of everything that is published
    ch_versions  // text of software_versions.yml
}
