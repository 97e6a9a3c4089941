/*
 * Per sample: read it, whatever it came as, and keep its good cells. Small samples share a task.
 */

include { SAMPLE_INGEST   } from '../../../modules/local/sample/ingest'
include { SAMPLE_QC       } from '../../../modules/local/sample/qc'
include { codeDigest      } from '../utils_semanticst_pipeline/provenance'
include { bundleName      } from '../utils_semanticst_pipeline/samples'
include { bundlesOf       } from '../utils_semanticst_pipeline/samples'
include { cohortSize      } from '../utils_semanticst_pipeline/samples'
include { inputsOf        } from '../utils_semanticst_pipeline/samples'
include { listing         } from '../utils_semanticst_pipeline/samples'
include { megabytesRead   } from '../utils_semanticst_pipeline/samples'
include { publishedIn     } from '../utils_semanticst_pipeline/outputs'
include { readingSettings } from '../utils_semanticst_pipeline/samples'
include { sampleKinds     } from '../utils_semanticst_pipeline/samples'

// Place of a file in a list, -1 for none
def placeOf(file, files) {
    return file ? files.indexOf(file) : -1
}

workflow SAMPLE_PREPARE {
    take:
    samples // list of maps, sorted by sample: the rows of the samplesheet, `path` a file
    markers // CSV of cell types and genes, or []: no cell type is predicted
    model   // model.pt, or []: the samples are not mapped
    bundle  // map: size (most samples of a task), mb (most megabytes)

    main:
    def ingest_code = codeDigest('SAMPLE_INGEST')
    def qc_code = codeDigest('SAMPLE_QC')

    ch_bundles = samples.flatMap { rows ->
        def inputs = inputsOf(rows).collectEntries { input -> [input.name, input] }
        bundlesOf(inputs.values().collect { input -> [input.name, input.path] }, bundle.size, bundle.mb).collect { entries ->
            def files = entries.collect { entry -> entry[1] }
            // of each sample the places of its input, its selection of cells and its annotation in the lists of files
            def parts = entries.indexed().collectMany { place, entry -> inputs[entry[0]].rows.collect { row -> [place, row] } }.sort { part -> part[1].sample }
            def outlines = parts.collectMany { _place, row -> [row.cells, row.annotation].findAll() }.unique()
            def meta = [id: bundleName(parts.collect { part -> part[1].sample }), code: ingest_code, folders: listing(files), mb: megabytesRead(files)]
            def settings = parts.collect { place, row -> readingSettings(row) + [input: place, cells: placeOf(row.cells, outlines), annotation: placeOf(row.annotation, outlines)] }
            [meta, settings, files, outlines]
        }
    }
    SAMPLE_INGEST(ch_bundles)

    // Whether 0 and 1 are types, markers or counts is seen from all samples: so quality control begins when all are read
    ch_kinds = SAMPLE_INGEST.out.kinds.map { _meta, kinds -> kinds }.toSortedList { a, b -> a.name <=> b.name }.map { files -> sampleKinds(files) }

    SAMPLE_QC(
        SAMPLE_INGEST.out.samples.combine(ch_kinds).map { meta, files, kinds ->
            [[id: meta.id, code: qc_code, kinds: kinds, mb: megabytesRead(files instanceof List ? files : [files])], files, markers, model]
        }
    )

    // All lists are empty when an earlier step failed: then that step has the word
    ch_metrics = SAMPLE_QC.out.metrics
        .map { _meta, metrics -> metrics }
        .toSortedList { a, b -> a.name <=> b.name }
        .filter { metrics -> metrics }

    ch_size = ch_metrics.map { metrics -> cohortSize(metrics) }

    ch_maps = SAMPLE_QC.out.maps
        .flatMap { _meta, files -> files instanceof List ? files : [files] }
        .toSortedList { a, b -> a.name <=> b.name }
        .filter { maps -> maps }

    ch_thumbnails = SAMPLE_INGEST.out.thumbnails
        .flatMap { _meta, files -> files instanceof List ? files : [files] }
        .toSortedList { a, b -> a.name <=> b.name }

    ch_samples = SAMPLE_QC.out.samples
        .flatMap { _meta, files -> files instanceof List ? files : [files] }
        .toSortedList { a, b -> a.name <=> b.name }
        .map { files -> [files] }
        .combine(ch_metrics.map { metrics -> [metrics] })
        .map { files, _metrics -> files }

    ch_outputs = publishedIn('qc/cells', SAMPLE_QC.out.cells).mix(
        publishedIn('qc/maps', SAMPLE_QC.out.maps),
        publishedIn('qc/parts', SAMPLE_INGEST.out.parts),
        publishedIn('qc/thumbnails', SAMPLE_INGEST.out.thumbnails),
    )

    emit:
    ch_samples // list of {sample}.qc.h5ad, sorted by name; empty when all samples failed
    ch_metrics // list of {bundle}.qc.json, sorted by name
    ch_maps    // list of {sample}.qc_map.png, sorted by name
    ch_thumbnails // list of {sample}.jpg and {sample}.json, sorted by name; mostly empty
    ch_size    // map: cells and features of the cohort, cells by_sample
    ch_outputs // [folder below --outdir, files] of what is published
}
