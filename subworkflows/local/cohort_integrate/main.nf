/*
 * One network for all samples, one embedding, one set of niches.
 */

include { MODEL_TRAIN     } from '../../../modules/local/model/train'
include { MODEL_EMBED     } from '../../../modules/local/model/embed'
include { MODEL_DENOISE   } from '../../../modules/local/model/denoise'
include { NICHE_CLUSTER   } from '../../../modules/local/niche/cluster'
include { COHORT_ASSEMBLE } from '../../../modules/local/cohort/assemble'
include { codeDigest      } from '../utils_semanticst_pipeline/provenance'

workflow COHORT_INTEGRATE {
    take:
    samples // list of {sample}.qc.h5ad, sorted by name
    graphs  // list of {sample}.graphs.h5ad, sorted by name
    basis   // cohort.basis.npz
    model   // trained model to map the samples onto, or []: train one
    denoise // whether denoised expression is asked for

    main:
    def embed_meta = [id: 'cohort', code: codeDigest('MODEL_EMBED')]
    def cluster_meta = [id: 'cohort', code: codeDigest('NICHE_CLUSTER')]
    def assemble_meta = [id: 'cohort', code: codeDigest('COHORT_ASSEMBLE')]
    ch_network = channel.empty()
    ch_training = channel.empty()

    if (model) {
        ch_network = channel.value(model)
    }
    else {
        def train_meta = [id: 'cohort', code: codeDigest('MODEL_TRAIN')]
        MODEL_TRAIN(graphs.map { files -> [train_meta, files] })
        ch_network = MODEL_TRAIN.out.network.map { _meta, network -> network }
        ch_training = MODEL_TRAIN.out.report.map { _meta, files -> files }
    }

    MODEL_EMBED(graphs.combine(ch_network).map { entry -> [embed_meta, entry[0..-2], entry[-1]] })

    if (denoise) {
        def denoise_meta = [id: 'cohort', code: codeDigest('MODEL_DENOISE')]
        MODEL_DENOISE(
            MODEL_EMBED.out.embedding
                .map { _meta, embedding -> embedding }
                .combine(ch_network)
                .combine(basis)
                .map { entry -> [denoise_meta] + entry }
        )
    }

    NICHE_CLUSTER(MODEL_EMBED.out.embedding.map { _meta, embedding -> [cluster_meta, embedding, model] })

    ch_parts = MODEL_EMBED.out.embedding
        .map { _meta, embedding -> ['cohort', embedding] }
        .join(NICHE_CLUSTER.out.niches.map { meta, niches -> [meta.id, niches] })
        .join(basis.map { file -> ['cohort', file] })
        .join(ch_network.map { network -> ['cohort', network] })
        .join(NICHE_CLUSTER.out.mixture.map { meta, mixture -> [meta.id, mixture] })
    COHORT_ASSEMBLE(
        samples
            .map { files -> ['cohort', files] }
            .join(ch_parts)
            .map { entry -> [assemble_meta] + entry[1..-1] }
    )

    ch_cohort = COHORT_ASSEMBLE.out.cohort.map { _meta, cohort -> cohort }
    ch_niches = NICHE_CLUSTER.out.niches.map { _meta, niches -> niches }
    ch_members = NICHE_CLUSTER.out.member_counts.map { _meta, counts -> counts }
    ch_numbers = NICHE_CLUSTER.out.choice.map { _meta, numbers -> numbers }
    ch_report = ch_training.mix(NICHE_CLUSTER.out.report.map { _meta, files -> files })

    emit:
    ch_cohort  // cohort.h5ad
    ch_niches  // niches.csv.gz
    ch_members // niche_member_counts.csv
    ch_numbers // niche_k.csv
    ch_report  // *_mqc.* files
}
