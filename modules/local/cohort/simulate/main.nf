process COHORT_SIMULATE {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    val meta

    output:
    tuple val(meta), path('cohort'), emit: cohort
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    cohort_simulate.py --versions-of anndata,numpy --outdir cohort ${args}
    """

    stub:
    """
    mkdir -p cohort/samples
    touch cohort/samples/s1.h5ad cohort/samples/s2.h5ad cohort/planted.json versions.yml
    printf 'sample,patient,path\\ns1,p1,samples/s1.h5ad\\ns2,p2,samples/s2.h5ad\\n' > cohort/samplesheet.csv
    printf 'patient,group,days,dead\\np1,a,9,1\\np2,b,8,0\\n' > cohort/clinical.csv
    printf 'contrast,type,column,time,event,event_value\\ngroup,groups,group,,,\\nsurvival,survival,,days,dead,1\\n' > cohort/contrasts.csv
    echo | gzip -n > cohort/domains.csv.gz
    """
}
