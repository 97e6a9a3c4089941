process COHORT_FEATURES {
    tag "${meta.id}"
    label 'process_single'
    memory { (1.GB + 10.KB * (meta.cells ?: 0) + 200.KB * (meta.features ?: 0)) * task.attempt }
    time { (1.h + 4.s * ((meta.cells ?: 0) / 1000)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/torch:0.1.0'

    input:
    tuple val(meta), path(files, stageAs: 'samples/*'), path(model, stageAs: 'model/*')

    output:
    tuple val(meta), path('*.components.h5ad')    , emit: samples
    tuple val(meta), path('cohort.basis.npz')     , emit: basis
    tuple val(meta), path('cohort.features.json') , emit: features
    tuple val(meta), path('*_mqc.*')              , emit: report, optional: true
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def reference = model ? "--model ${model}" : ''
    """
    cohort_features.py --versions-of anndata,harmonypy,scipy samples/*.qc.h5ad ${reference} \\
        ${args}
    """

    stub:
    """
    for sample in samples/*.qc.h5ad; do
        touch "\$(basename "\$sample" .qc.h5ad).components.h5ad"
    done
    touch cohort.basis.npz cohort.features.json versions.yml
    """
}
