// `folder`: where relative paths of the sheet start, since here it lies in the folder of the task.
process SAMPLESHEET_CHECK {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'
    // by content: a sheet that was only touched is no other sheet
    cache 'deep'

    input:
    tuple val(meta), path(sheet, stageAs: 'sheet/*'), val(folder), path(clinical, stageAs: 'clinical/*'), path(contrasts, stageAs: 'contrasts/*'), path(names, stageAs: 'names/*'), path(key, stageAs: 'key/*'), val(missing)
    path schemas, stageAs: 'schemas/*'

    output:
    tuple val(meta), path('samplesheet.valid.csv'), emit: samples
    tuple val(meta), path('samplesheet.used.csv') , emit: used
    tuple val(meta), path('samplesheet.json')     , emit: rows
    tuple val(meta), path('clinical.valid.csv')   , emit: clinical
    tuple val(meta), path('contrasts.valid.csv')  , emit: contrasts
    tuple val(meta), path('by_contrast')          , emit: by_contrast
    tuple val(meta), path('published/*.csv')      , emit: published
    tuple val(meta), path('pseudonyms.csv')       , emit: key, optional: true
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def tables = (clinical ? "--clinical ${clinical} " : '') + (contrasts ? "--contrasts ${contrasts} " : '') + (names ? "--niche-names ${names} " : '') + (key ? "--pseudonym-key ${key} " : '') + (missing ? '--missing missing.json' : '')
    def listed = missing ? "printf '%s' '" + groovy.json.JsonOutput.toJson(missing).replace("'", "'\\''") + "' > missing.json" : ''
    """
    ${listed}
    samplesheet_check.py --versions-of jsonschema,pandas ${sheet} ${tables} \\
        --folder ${quoted(folder)} \\
        --no-check-files \\
        --schema-dir schemas \\
        ${args}
    """

    // Done in earnest, since what follows is a task per row: a stub run tells what is wrong with the tables as well
    stub:
    def args = task.ext.args ?: ''
    def tables = (clinical ? "--clinical ${clinical} " : '') + (contrasts ? "--contrasts ${contrasts} " : '') + (names ? "--niche-names ${names} " : '') + (key ? "--pseudonym-key ${key} " : '') + (missing ? '--missing missing.json' : '')
    def listed = missing ? "printf '%s' '" + groovy.json.JsonOutput.toJson(missing).replace("'", "'\\''") + "' > missing.json" : ''
    """
    ${listed}
    samplesheet_check.py --versions-of jsonschema,pandas ${sheet} ${tables} \\
        --folder ${quoted(folder)} \\
        --no-check-files \\
        --schema-dir schemas \\
        ${args}
    ls samplesheet.valid.csv samplesheet.used.csv samplesheet.json clinical.valid.csv contrasts.valid.csv by_contrast published/*.csv versions.yml
    """
}

// For the shell, whatever signs the path has
def quoted(text) {
    return "'" + text.replace("'", "'\\''") + "'"
}
