/*
 * What a reader opens beside the report: the explorer, and files for other programs.
 */

include { EXPLORER_BUILD } from '../../../modules/local/explorer/build'
include { EXPORT_WRITE   } from '../../../modules/local/export/write'
include { asset          } from '../utils_semanticst_pipeline/paths'
include { codeDigest     } from '../utils_semanticst_pipeline/provenance'
include { publishedIn    } from '../utils_semanticst_pipeline/outputs'

workflow COHORT_EXPORT {
    take:
    cohort     // cohort.h5ad
    annotated  // cohort.h5ad with the columns of the tables
    samples    // list of {sample}.qc.h5ad, sorted by name
    size       // map: cells and features of the cohort
    described  // list: niche_markers.csv, niche_overview.csv
    tables     // tuple: clinical.valid.csv (or []) and samplesheet.valid.csv, as they may be published
    records    // list of {contrast}.association.json, sorted by name; empty without a contrast
    thumbnails // list of {sample}.jpg and {sample}.json, sorted by name; mostly empty
    names      // names of niches (CSV), or []
    settings   // map: every parameter in its own type

    main:
    def wanted = ['xenium_explorer', 'loupe', 'qupath', 'spatialdata', 'tissuumaps'].any { name -> settings["export_${name}".toString()] }
    ch_outputs = channel.empty()

    if (wanted) {
        def export_code = codeDigest('EXPORT_WRITE')
        // stores have the columns of the tables; the other formats need not be written again with a clinical table
        EXPORT_WRITE(
            (settings.export_spatialdata ? annotated : cohort)
                .combine(samples.map { files -> [files] })
                .combine(size)
                .map { file, files, n -> [[id: 'cohort', code: export_code, cells: n.cells], file, files, names] }
        )
        ch_outputs = ch_outputs.mix(publishedIn('exports', EXPORT_WRITE.out.exports))
    }

    if (settings.explorer) {
        def explorer_code = codeDigest('EXPLORER_BUILD')
        // file by file: the engine would not see an edit inside a folder
        def parts = file("${projectDir}/assets/explorer", glob: false).listFiles().findAll { found -> found.isFile() }.collect { found -> found.name }
        def page = parts.sort().collect { name -> asset("explorer/${name}") }
        EXPLORER_BUILD(
            cohort
                .combine(size)
                .combine(described.map { files -> [files] })
                .combine(tables)
                .combine(records.map { files -> [files] })
                .combine(thumbnails.map { files -> [files] })
                .map { file, n, found, clinical, sheet, contrasts, pictures ->
                    [[id: 'cohort', code: explorer_code, cells: n.cells], file, found, sheet, clinical, contrasts, pictures, names, page]
                }
        )
        ch_outputs = ch_outputs.mix(publishedIn('explorer', EXPLORER_BUILD.out.explorer))
    }

    emit:
    ch_outputs // [folder below --outdir, files] of what is published
}
