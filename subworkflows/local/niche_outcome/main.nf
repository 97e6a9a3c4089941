/*
 * What each niche is made of, and whether its abundance is associated with an outcome: one task per contrast.
 */

include { COHORT_ANNOTATE } from '../../../modules/local/cohort/annotate'
include { NICHE_DESCRIBE  } from '../../../modules/local/niche/describe'
include { NICHE_ASSOCIATE } from '../../../modules/local/niche/associate'
include { NICHE_COLLECT   } from '../../../modules/local/niche/collect'
include { REPORT_PLANTED  } from '../../../modules/local/report/planted'
include { asset           } from '../utils_semanticst_pipeline/paths'
include { codeDigest      } from '../utils_semanticst_pipeline/provenance'
include { publishedIn     } from '../utils_semanticst_pipeline/outputs'

workflow NICHE_OUTCOME {
    take:
    cohort     // cohort.h5ad
    size       // map: cells and features of the cohort
    niches     // niches.csv.gz
    stability  // niche_stability.csv
    members    // niche_member_counts.csv
    numbers    // niche_k.csv
    contrasts  // tuple per contrast: its name, its row, the columns that it uses of the clinical table and of the samplesheet
    tables     // tuple: clinical.valid.csv, samplesheet.valid.csv, samplesheet.used.csv
    planted    // folder of a simulated cohort; nothing for a real one
    thumbnails // list of {sample}.jpg and {sample}.json, sorted by name; mostly empty
    gene_sets  // sets of genes, or []: none
    names      // names of niches (CSV), or []: they have numbers
    earlier    // niches.csv.gz (and niche_names.csv) of an earlier run to compare with, or []

    main:
    def annotate_code = codeDigest('COHORT_ANNOTATE')
    def describe_code = codeDigest('NICHE_DESCRIBE')
    def associate_code = codeDigest('NICHE_ASSOCIATE')
    def collect_code = codeDigest('NICHE_COLLECT')
    def planted_code = codeDigest('REPORT_PLANTED')

    NICHE_DESCRIBE(
        cohort
            .combine(size)
            .combine(thumbnails.map { files -> [files] })
            .map { file, n, pictures -> [[id: 'cohort', code: describe_code, cells: n.cells, features: n.features], file, gene_sets, names, pictures] }
    )

    // by itself, so that nothing else is repeated when a name or a column of the tables changes
    COHORT_ANNOTATE(
        cohort
            .combine(niches)
            .combine(stability)
            .combine(tables)
            .combine(size)
            .map { object, found, by_niche, clinical, sheet, _used, n -> [[id: 'cohort', code: annotate_code, cells: n.cells], object, found, by_niche, clinical, sheet, names, earlier] },
        asset('schema_input.json'),
    )

    // cell types, gene sets and regions are there only where the samples have them, and where sets are given
    def wanted = ['counts', 'contacts', 'patches', 'sample_cell_types', 'gene_sets', 'markers', 'regions', 'overview'].collect { name -> "niche_${name}.csv" }
    ch_described = NICHE_DESCRIBE.out.tables
        .map { _meta, files -> wanted.collect { name -> files.find { file -> file.name == name } ?: [] } }
        .combine(members)
        .combine(numbers)
        .combine(niches)

    NICHE_ASSOCIATE(
        contrasts
            .map { name, row, clinical, samples -> [[id: name, code: associate_code], row, clinical, samples] }
            .combine(ch_described)
            .map { entry -> [entry[0]] + entry[4..-1] + [names] + entry[1..3] }
    )

    ch_associations = NICHE_ASSOCIATE.out.table
        .map { _meta, table -> table }
        .toSortedList { a, b -> a.name <=> b.name }
    REPORT_PLANTED(
        planted
            .combine(niches)
            .combine(ch_associations.map { associations -> [associations] })
            .map { folder, found, associations -> [[id: 'cohort', code: planted_code], folder, found, associations, names] }
    )

    ch_records = NICHE_ASSOCIATE.out.association
        .map { _meta, record -> record }
        .toSortedList { a, b -> a.name <=> b.name }

    NICHE_COLLECT(
        ch_records
            .filter { records -> records }
            .map { records -> [records] }
            .combine(ch_described.map { described -> [described[0]] })
            .combine(tables)
            .map { records, counts, clinical, sheet, used -> [[id: 'cohort', code: collect_code], records, counts, clinical, sheet, used, names] }
    )

    // of these the summary and the maps by group are made
    def told = ['niche_overview.csv', 'niche_counts.csv']
    ch_shown = NICHE_DESCRIBE.out.tables
        .map { _meta, files -> files.findAll { file -> file.name in told }.sort { file -> file.name } }
        .combine(niches)
        .combine(numbers)

    def shown = ['niche_markers.csv', 'niche_overview.csv']
    ch_markers = NICHE_DESCRIBE.out.tables.map { _meta, files -> files.findAll { file -> file.name in shown }.sort { file -> file.name } }

    ch_report = NICHE_DESCRIBE.out.report
        .mix(COHORT_ANNOTATE.out.report, NICHE_ASSOCIATE.out.report, NICHE_COLLECT.out.report, REPORT_PLANTED.out.report)
        .map { _meta, files -> files }

    ch_outputs = publishedIn('niches', NICHE_DESCRIBE.out.tables).mix(
        publishedIn('niches', COHORT_ANNOTATE.out.niches),
        publishedIn('niches', COHORT_ANNOTATE.out.tables),
        publishedIn('integration', COHORT_ANNOTATE.out.cohort),
        publishedIn('niches/maps', NICHE_DESCRIBE.out.maps),
        publishedIn('association', NICHE_ASSOCIATE.out.table),
        publishedIn('association', NICHE_ASSOCIATE.out.checks),
        publishedIn('association', NICHE_ASSOCIATE.out.association),
        publishedIn('association', NICHE_ASSOCIATE.out.figures),
        publishedIn('association/all_contrasts', NICHE_COLLECT.out.tables),
        publishedIn('association', REPORT_PLANTED.out.planted),
    )

    // as it is published
    ch_annotated = COHORT_ANNOTATE.out.cohort.map { _meta, file -> file }

    emit:
    ch_shown     // list: niche_counts.csv, niche_overview.csv, niches.csv.gz, niche_k.csv
    ch_report    // *_mqc.* files
    ch_markers   // list: niche_markers.csv, niche_overview.csv
    ch_records   // list of {contrast}.association.json, sorted by name; empty without a contrast
    ch_annotated // cohort.h5ad with the columns of the tables
    ch_outputs   // [folder below --outdir, files] of what is published
}
