/*
 * What a reader opens beside the report: files for other programs.
 */

include { EXPORT_WRITE } from '../../../modules/local/export/write'
include { codeDigest   } from '../utils_semanticst_pipeline/provenance'
include { publishedIn  } from '../utils_semanticst_pipeline/outputs'

workflow COHORT_EXPORT {
    take:
    cohort   // cohort.h5ad
    samples  // list of {sample}.qc.h5ad, sorted by name
    size     // map: cells and features of the cohort
    settings // map: every parameter in its own type

    main:
    def wanted = ['xenium_explorer', 'loupe', 'qupath', 'spatialdata', 'tissuumaps'].any { name -> settings["export_${name}".toString()] }
    ch_outputs = channel.empty()

    if (wanted) {
        def export_code = codeDigest('EXPORT_WRITE')
        EXPORT_WRITE(
            cohort
                .combine(samples.map { files -> [files] })
                .combine(size)
                .map { file, files, n -> [[id: 'cohort', code: export_code, cells: n.cells], file, files] }
        )
        ch_outputs = publishedIn('exports', EXPORT_WRITE.out.exports)
    }

    emit:
    ch_outputs // [folder below --outdir, files] of what is published
}
