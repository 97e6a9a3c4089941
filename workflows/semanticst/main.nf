/*
 * The analysis: from a samplesheet to niches, their association with outcome, and a report.
 */

include { COHORT_INPUT     } from '../../subworkflows/local/cohort_input'
include { SAMPLE_PREPARE   } from '../../subworkflows/local/sample_prepare'
include { COHORT_GRAPHS    } from '../../subworkflows/local/cohort_graphs'
include { COHORT_INTEGRATE } from '../../subworkflows/local/cohort_integrate'
include { NICHE_OUTCOME    } from '../../subworkflows/local/niche_outcome'
include { COHORT_REPORT    } from '../../subworkflows/local/cohort_report'

workflow SEMANTICST {
    take:
    settings // map: every parameter in its own type
    changed  // map: group title -> parameters that differ from their default

    main:
    def bundle = [size: settings.sample_bundle_size, mb: settings.sample_bundle_mb]
    def model = settings.model ? file(settings.model) : []
    def gene_sets = settings.clinical_gene_sets ? file(settings.clinical_gene_sets) : []

    COHORT_INPUT(settings)

    SAMPLE_PREPARE(COHORT_INPUT.out.ch_samples, bundle)

    COHORT_GRAPHS(SAMPLE_PREPARE.out.ch_samples, model, bundle)

    COHORT_INTEGRATE(
        SAMPLE_PREPARE.out.ch_samples,
        COHORT_GRAPHS.out.ch_graphs,
        COHORT_GRAPHS.out.ch_basis,
        model,
        settings.train_denoised,
    )

    NICHE_OUTCOME(
        COHORT_INTEGRATE.out.ch_cohort,
        COHORT_INTEGRATE.out.ch_niches,
        COHORT_INTEGRATE.out.ch_members,
        COHORT_INPUT.out.ch_tables,
        COHORT_INPUT.out.ch_planted,
        gene_sets,
    )

    COHORT_REPORT(
        SAMPLE_PREPARE.out.ch_metrics,
        SAMPLE_PREPARE.out.ch_maps,
        COHORT_GRAPHS.out.ch_report.mix(COHORT_INTEGRATE.out.ch_report, NICHE_OUTCOME.out.ch_report),
        COHORT_GRAPHS.out.ch_record,
        COHORT_INTEGRATE.out.ch_numbers,
        NICHE_OUTCOME.out.ch_records,
        settings,
        changed,
    )
}
