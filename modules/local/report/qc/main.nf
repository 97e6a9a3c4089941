// `excluded`: rows of samples that the samplesheet leaves out. `sexes`: patient -> female or male, where the tables tell it.
process REPORT_QC {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), path(metrics, stageAs: 'metrics/*'), path(maps, stageAs: 'maps/*'), val(excluded), val(sexes)

    output:
    tuple val(meta), path('qc.csv')           , emit: table
    tuple val(meta), path('qc_thresholds.csv'), emit: thresholds
    tuple val(meta), path('*_mqc.*')          , emit: report
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    cat <<'END_OF_LIST' > excluded.json
    ${groovy.json.JsonOutput.toJson(excluded)}
    END_OF_LIST
    cat <<'END_OF_LIST' > sexes.json
    ${groovy.json.JsonOutput.toJson(sexes)}
    END_OF_LIST

    report_qc.py --versions-of pandas metrics/*.qc.json --maps maps --excluded excluded.json --sexes sexes.json ${args}
    """

    stub:
    """
    touch qc.csv qc_thresholds.csv qc_general_mqc.json qc_status_mqc.json versions.yml
    """
}
