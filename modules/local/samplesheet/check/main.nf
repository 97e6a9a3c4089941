process SAMPLESHEET_CHECK {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), path(sheet, stageAs: 'sheet/*'), path(clinical, stageAs: 'clinical/*'), path(contrasts, stageAs: 'contrasts/*')
    path schemas, stageAs: 'schemas/*'

    output:
    tuple val(meta), path('samplesheet.valid.csv'), emit: samples
    tuple val(meta), path('clinical.valid.csv')   , emit: clinical
    tuple val(meta), path('contrasts.valid.csv')  , emit: contrasts
    tuple val("${task.process}"), val('python'), eval('python3 -c "import platform; print(platform.python_version())"'), topic: versions
    tuple val("${task.process}"), val('jsonschema'), eval('python3 -c "from importlib.metadata import version; print(version(\'jsonschema\'))"'), topic: versions
    tuple val("${task.process}"), val('pandas'), eval('python3 -c "from importlib.metadata import version; print(version(\'pandas\'))"'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def tables = (clinical ? "--clinical ${clinical} " : '') + (contrasts ? "--contrasts ${contrasts}" : '')
    """
    samplesheet_check.py ${sheet} ${tables} \\
        --no-check-files \\
        --schema-dir schemas \\
        ${args}
    """

    stub:
    def args = task.ext.args ?: ''
    def shortcut = args.contains('--clinical-') ? 'stub,groups' : ''
    """
    (head -n 1 ${sheet}; tail -n +2 ${sheet} | sort) > samplesheet.valid.csv
    ${clinical ? "cp ${clinical} clinical.valid.csv" : 'echo patient > clinical.valid.csv'}
    ${contrasts ? "cp ${contrasts} contrasts.valid.csv" : "printf 'contrast,type\\n${shortcut}\\n' > contrasts.valid.csv"}
    """
}
