// Samples that keep too few cells are left out (or stop the run: --qc_fail stop); their metrics, cells and maps are written
// all the same.
process SAMPLE_QC {
    tag "${meta.id}"
    label 'process_single'
    memory { (1.GB + 4.MB * (meta.mb ?: 0)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), path(files), path(markers, stageAs: 'markers/*'), path(model, stageAs: 'model/*')

    output:
    tuple val(meta), path('*.qc.h5ad')        , emit: samples, optional: true
    tuple val(meta), path('*.qc.json')        , emit: metrics
    tuple val(meta), path('*.qc_cells.csv.gz'), emit: cells
    tuple val(meta), path('*.qc_map.png')     , emit: maps
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def prefix = task.ext.prefix ?: meta.id
    def kinds = meta.kinds ? "--sample-kinds '${meta.kinds}'" : ''
    def types = markers ? "--cell-type-markers ${markers}" : ''
    def trained = model ? "--model ${model}" : ''
    """
    sample_qc.py --versions-of anndata,matplotlib,numpy ${files} --prefix '${prefix}' ${kinds} ${types} ${trained} \\
        --threads ${task.cpus} \\
        ${args}
    """

    stub:
    def prefix = task.ext.prefix ?: meta.id
    """
    for sample in *.ingest.h5ad; do
        name="\${sample%.ingest.h5ad}"
        touch "\${name}.qc.h5ad" "\${name}.qc_cells.csv.gz" "\${name}.qc_map.png"
    done
    touch '${prefix}.qc.json' versions.yml
    """
}
