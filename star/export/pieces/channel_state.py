def channel_state(q, k, v, log_a, state, name):
    """y_t = q_tᵀ S_t / √e with S_t = Diag(a_t) S_{t−1} + k_t ⊗ v_t a head; q, k, v and log_a [B, H, L, e]."""
    def step(S, q, k, v, log_a):
        return channel_chunk(S, q, k, v, log_a.cumsum(-2))
    sequences = [precise(t) for t in (q / q.shape[-1] ** 0.5, k, v, log_a)]
    return in_chunks(step, sequences, 2, state, name, 16).to(q.dtype)
