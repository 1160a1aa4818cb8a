def matrix_state(q, k, u, log_a, state, name):
    """y_t = q_tᵀ S_t / √e with S_t = a_t S_{t−1} + k_t ⊗ u_t a head; q, k, u [B, H, L, e], log_a [B, H, L]."""
    def step(S, q, k, u, log_a):
        return matrix_chunk(S, q, k, u, log_a.cumsum(-1))
    sequences = [precise(t) for t in (q / q.shape[-1] ** 0.5, k, u, log_a)]
    return in_chunks(step, sequences, 2, state, name).to(q.dtype)
