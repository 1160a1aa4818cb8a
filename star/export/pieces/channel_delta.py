import torch


def channel_delta(q, k, v, beta, log_a, state, name):
    """y_t = q_tᵀ S_t / √e with S_t = (I − β_t k_t k_tᵀ) Diag(a_t) S_{t−1} + β_t k_t ⊗ v_t a head; q, k, v and log_a
    [B, H, L, e], beta [B, H, L].

    That is S_t = Diag(a_t) S_{t−1} + k_t ⊗ u_t, where u_t = β_t (v_t − k_tᵀ Diag(a_t) S_{t−1}) are, in a chunk, the
    solution of a triangular system (arXiv 2510.26692).
    """
    def step(S, q, k, v, beta, log_a):
        g = log_a.cumsum(-2)
        known = v if S is None else v - (k * torch.exp(g)) @ S
        u = torch.linalg.solve_triangular(beta[..., None] * faded_scores(k, k, g, -1), beta[..., None] * known,
                                          upper=False, unitriangular=True)
        return channel_chunk(S, q, k, u, g)
    sequences = [precise(t) for t in (q / q.shape[-1] ** 0.5, k, v, beta, log_a)]
    return in_chunks(step, sequences, 2, state, name, 16).to(q.dtype)
