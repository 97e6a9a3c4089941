/*
 * The cohort's tables, checked, and its sample files, found. A simulated cohort takes the same way as a user's.
 */

include { COHORT_SIMULATE   } from '../../../modules/local/cohort/simulate'
include { SAMPLESHEET_CHECK } from '../../../modules/local/samplesheet/check'
include { asset             } from '../utils_semanticst_pipeline/paths'
include { codeDigest        } from '../utils_semanticst_pipeline/provenance'
include { keepKey           } from '../utils_semanticst_pipeline/pseudonyms'
include { keyPlace          } from '../utils_semanticst_pipeline/pseudonyms'
include { fileColumns       } from '../utils_semanticst_pipeline/samples'
include { excludedOf        } from '../utils_semanticst_pipeline/samples'
include { missingPaths      } from '../utils_semanticst_pipeline/samples'
include { publishedIn       } from '../utils_semanticst_pipeline/outputs'
include { samplesOf         } from '../utils_semanticst_pipeline/samples'
include { sexesOf           } from '../utils_semanticst_pipeline/samples'
include { stageable         } from '../utils_semanticst_pipeline/paths'

workflow COHORT_INPUT {
    take:
    settings // map: input, clinical, contrasts, simulate, pseudonymise, pseudonym_key, outdir
    names    // names of niches (CSV), or []

    main:
    ch_planted = channel.empty()
    ch_simulated = channel.empty()
    ch_sheets = channel.empty() // the three tables, and where relative paths of the first start
    if (settings.simulate) {
        COHORT_SIMULATE([id: 'simulated', code: codeDigest('COHORT_SIMULATE')])
        ch_simulated = publishedIn('simulated', COHORT_SIMULATE.out.cohort)
        ch_planted = COHORT_SIMULATE.out.cohort.map { _meta, folder -> folder }
        // where the cohort is published: its folder among the tasks may be deleted
        def published = file(settings.outdir, glob: false).resolve('simulated').toUriString()
        ch_sheets = ch_planted.map { folder -> ['samplesheet.csv', 'clinical.csv', 'contrasts.csv'].collect { name -> folder.resolve(name) } + [published] }
    }
    else {
        def tables = [settings.input, settings.clinical, settings.contrasts].collect { name -> name ? file(name, glob: false) : [] }
        ch_sheets = channel.of(tables + [tables[0].parent.toUriString()])
    }

    // codes that were given once are kept: what has been done under them need not be done again
    def key = settings.pseudonymise ? keyPlace(settings.outdir, settings.pseudonym_key) : null
    def known = key && key.exists() ? stageable(key) : []
    def meta = [id: 'cohort', code: codeDigest('SAMPLESHEET_CHECK')]
    SAMPLESHEET_CHECK(
        ch_sheets.map { sheet, clinical, contrasts, folder -> [meta, stageable(sheet), folder, clinical ? stageable(clinical) : [], contrasts ? stageable(contrasts) : [], names, known, missingPaths(sheet)] },
        ['clinical', 'contrasts', 'input'].collect { name -> asset("schema_${name}.json") },
    )

    SAMPLESHEET_CHECK.out.key.subscribe { _meta, written -> keepKey(key, written) }

    ch_samples = SAMPLESHEET_CHECK.out.rows
        .combine(ch_sheets.map { sheet, _clinical, _contrasts, _folder -> [sheet] })
        .map { _meta, rows, sheet -> samplesOf(rows, sheet) }
        .map { samples -> samples.collect { sample -> sample + fileColumns().findAll { name -> sample[name] }.collectEntries { name -> [name, stageable(sample[name])] } } }

    ch_excluded = SAMPLESHEET_CHECK.out.rows.map { _meta, rows -> excludedOf(rows) }

    ch_sexes = SAMPLESHEET_CHECK.out.rows.map { _meta, rows -> sexesOf(rows) }

    ch_contrasts = SAMPLESHEET_CHECK.out.contrasts
        .join(SAMPLESHEET_CHECK.out.by_contrast)
        .flatMap { _meta, contrasts, folder ->
            def asked = contrasts.splitCsv(header: true).collect { row -> row.contrast }
            if (!asked) {
                log.info('Association: skipped, because neither --contrasts nor --clinical_group nor --clinical_time is given')
            }
            asked.collect { name -> [name] + ['contrast', 'clinical', 'samplesheet'].collect { table -> folder.resolve("${name}.${table}.csv") } }
        }

    // whole tables, for what is about all contrasts
    ch_tables = SAMPLESHEET_CHECK.out.clinical
        .join(SAMPLESHEET_CHECK.out.samples)
        .join(SAMPLESHEET_CHECK.out.used)
        .map { _meta, clinical, samples, used -> [clinical, samples, used] }

    ch_shared = SAMPLESHEET_CHECK.out.published.map { _meta, files ->
        ['clinical.valid.csv', 'samplesheet.valid.csv'].collect { name -> files.find { path -> path.name == name } ?: [] }
    }

    ch_outputs = ch_simulated.mix(publishedIn('pipeline_info', SAMPLESHEET_CHECK.out.published))

    emit:
    ch_samples   // list of maps, sorted by sample: the rows of the samplesheet, `path` a file
    ch_excluded  // list of maps: samples that the samplesheet leaves out, with the reason
    ch_sexes     // map: patient -> female or male, where the tables tell it
    ch_contrasts // tuple per contrast: its name, its row, the columns that it uses of the clinical table and of the samplesheet
    ch_tables    // tuple: clinical.valid.csv, samplesheet.valid.csv, samplesheet.used.csv
    ch_shared    // tuple: clinical.valid.csv (or [] where nothing clinical is shared), samplesheet.valid.csv, as they may be published
    ch_planted   // folder of a simulated cohort
    ch_outputs   // [folder below --outdir, files] of what is published
}
