import torch


def selective_scan(dt, A_log, B, C, v, state, name):
    """y_t = Σ_n C_tn h_tn with h_tn = exp(−dt_t exp(A_log_n)) h_{t−1,n} + dt_t B_tn v_t a channel; dt, v and y
    [B, L, C], A_log [C, N], B and C [B, L, N]."""
    rates = -torch.exp(precise(A_log))

    def step(h, dt, B, C, v):
        h = doubling_scan(h, torch.exp(dt[..., None] * rates), (dt * v)[..., None] * B[:, :, None])
        return (h * C[:, :, None]).sum(-1), h[:, -1]
    return in_chunks(step, [precise(u) for u in (dt, B, C, v)], 1, state, name).to(v.dtype)
