// Reads the versions that all other steps reported, so it must not report to that topic itself: the run would never end.
process REPORT_MULTIQC {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'
    // by content: versions and parameters are written anew by every run
    cache 'deep'

    input:
    tuple val(meta), path(reports, stageAs: 'reports/?/*'), path(config), path(style), path(own_config, stageAs: 'own_config/*'), path(logo, stageAs: 'own_logo/*')

    output:
    tuple val(meta), path('multiqc_report.html')      , emit: report
    tuple val(meta), path('multiqc_report_data')      , emit: data, optional: true
    tuple val(meta), path('multiqc_report_plots')     , emit: plots, optional: true
    tuple val("${task.process}"), eval('python3 -c "from importlib.metadata import version; print(\'multiqc:\', version(\'multiqc\'))"'), emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def configs = [config, own_config].flatten().collect { file -> "--config ${file}" }.join(' ')
    """
    report_multiqc.py reports ${configs} ${logo ? "--logo ${logo}" : ''} ${args}
    """

    stub:
    """
    mkdir multiqc_report_data
    touch multiqc_report.html
    """
}
