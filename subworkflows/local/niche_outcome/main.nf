/*
 * What each niche is made of, and whether its abundance goes with an outcome: one task per contrast.
 */

include { NICHE_DESCRIBE  } from '../../../modules/local/niche/describe'
include { NICHE_ASSOCIATE } from '../../../modules/local/niche/associate'
include { REPORT_PLANTED  } from '../../../modules/local/report/planted'
include { codeDigest      } from '../utils_semanticst_pipeline/provenance'

workflow NICHE_OUTCOME {
    take:
    cohort  // cohort.h5ad
    niches  // niches.csv.gz
    tables  // tuple: checked samplesheet, clinical table, contrasts
    planted // folder of a simulated cohort; nothing for a real one

    main:
    def describe_code = codeDigest('NICHE_DESCRIBE')
    def associate_code = codeDigest('NICHE_ASSOCIATE')
    def planted_code = codeDigest('REPORT_PLANTED')

    NICHE_DESCRIBE(cohort.map { file -> [[id: 'cohort', code: describe_code], file] })

    ch_abundance = NICHE_DESCRIBE.out.counts
        .join(NICHE_DESCRIBE.out.contacts)
        .map { _meta, counts, contacts -> [counts, contacts] }

    ch_contrasts = tables.flatMap { samples, clinical, contrasts ->
        def rows = contrasts.splitCsv(header: true)
        if (!rows) {
            log.info('Association: skipped, because neither --contrasts nor --clinical_group nor --clinical_time is given')
        }
        rows.collect { row -> [[id: row.contrast, code: associate_code], contrasts, clinical, samples] }
    }
    NICHE_ASSOCIATE(
        ch_contrasts
            .combine(ch_abundance)
            .map { meta, contrasts, clinical, samples, counts, contacts -> [meta, counts, contacts, contrasts, clinical, samples] }
    )

    ch_associations = NICHE_ASSOCIATE.out.table
        .map { _meta, table -> table }
        .toSortedList { a, b -> a.name <=> b.name }
    REPORT_PLANTED(
        planted
            .combine(niches)
            .combine(ch_associations.map { associations -> [associations] })
            .map { folder, found, associations -> [[id: 'cohort', code: planted_code], folder, found, associations] }
    )

    ch_report = NICHE_DESCRIBE.out.report
        .mix(NICHE_ASSOCIATE.out.report, REPORT_PLANTED.out.report)
        .map { _meta, files -> files }

    emit:
    ch_report // *_mqc.* files
}
