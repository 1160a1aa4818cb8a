import torch


def delta_rule(q, k, v, beta, log_a, state, name):
    """y_t = q_tᵀ S_t / √e with S_t = a_t (I − β_t k_t k_tᵀ) S_{t−1} + β_t k_t ⊗ v_t a head; q, k and v [B, H, L, e],
    beta and log_a [B, H, L].

    That is S_t = a_t S_{t−1} + k_t ⊗ u_t, where u_t = β_t (v_t − a_t k_tᵀ S_{t−1}) are, in a chunk, the solution of
    a triangular system (the WY representation, arXiv 2406.06484 and 2412.06464).
    """
    def step(S, q, k, v, beta, log_a):
        g = log_a.cumsum(-1)
        past = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).tril(-1)
        decay = (g[..., :, None] - g[..., None, :]).masked_fill(~past, -torch.inf).exp()
        known = v if S is None else v - torch.exp(g)[..., None] * (k @ S)
        u = torch.linalg.solve_triangular(beta[..., None] * (k @ k.mT * decay), beta[..., None] * known,
                                          upper=False, unitriangular=True)
        return matrix_chunk(S, q, k, u, g)
    sequences = [precise(t) for t in (q / q.shape[-1] ** 0.5, k, v, beta, log_a)]
    return in_chunks(step, sequences, 2, state, name).to(q.dtype)
