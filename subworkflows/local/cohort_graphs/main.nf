/*
 * Components that all samples share, then the semantic graphs of each sample in them.
 */

include { COHORT_FEATURES } from '../../../modules/local/cohort/features'
include { GRAPH_BUILD     } from '../../../modules/local/graph/build'
include { codeDigest      } from '../utils_semanticst_pipeline/provenance'
include { bundleName      } from '../utils_semanticst_pipeline/samples'
include { bundlesOf       } from '../utils_semanticst_pipeline/samples'
include { publishedIn     } from '../utils_semanticst_pipeline/outputs'
include { sampleName      } from '../utils_semanticst_pipeline/samples'

workflow COHORT_GRAPHS {
    take:
    samples // list of {sample}.qc.h5ad, sorted by name
    size    // map: cells and features of the cohort, cells by_sample
    model   // trained model whose components are used, or []
    bundle  // map: size (most samples of a task), mb (most megabytes)

    main:
    def features_code = codeDigest('COHORT_FEATURES')
    def graph_code = codeDigest('GRAPH_BUILD')

    COHORT_FEATURES(
        samples
            .map { files -> [files] }
            .combine(size)
            .map { files, n -> [[id: 'cohort', code: features_code, cells: n.cells, features: n.features], files, model] }
    )

    ch_bundles = COHORT_FEATURES.out.samples.combine(size).flatMap { _meta, files, n ->
        def entries = (files instanceof List ? files : [files]).collect { file -> [sampleName(file), file] }
        bundlesOf(entries, bundle.size, bundle.mb).collect { bundled ->
            def names = bundled.collect { entry -> entry[0] }
            def cells = names.collect { name -> n.by_sample[name] ?: 0 }.max()
            [[id: bundleName(names), code: graph_code, cells: cells], bundled.collect { entry -> entry[1] }]
        }
    }
    GRAPH_BUILD(ch_bundles)

    ch_graphs = GRAPH_BUILD.out.samples
        .flatMap { _meta, files -> files instanceof List ? files : [files] }
        .toSortedList { a, b -> a.name <=> b.name }
        .filter { files -> files } // empty when an earlier step failed: then that step has the word

    ch_basis = COHORT_FEATURES.out.basis.map { _meta, basis -> basis }
    ch_record = COHORT_FEATURES.out.features.map { _meta, record -> record }
    ch_report = COHORT_FEATURES.out.report.map { _meta, files -> files }

    ch_outputs = publishedIn('integration', COHORT_FEATURES.out.features)

    emit:
    ch_graphs // list of {sample}.graphs.h5ad, sorted by name
    ch_basis  // cohort.basis.npz
    ch_record // cohort.features.json
    ch_report // *_mqc.* files
    ch_outputs // [folder below --outdir, files] of what is published
}
