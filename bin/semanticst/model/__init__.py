"""The network: an encoder per semantic context, attention fusion, decoder, communities.

Zahedi et al. 2025 (arXiv 2506.11491) describe the method; where their released code differs from the paper this
package follows the paper. One file per idea: ``sample_graphs`` (data), ``tiles`` (mini-batches), ``network``,
``losses``, ``train``, ``embed``, ``store`` (files).
"""
