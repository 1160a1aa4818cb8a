import torch


def long_convolution(u, filter, D, state, name):
    """Σ_{j≤i} K_{i−j} u_j + D u_i of u [B, L, C]; filter(first, last) gives K [last − first, C]."""
    L, inputs = u.shape[1], precise(remember(state, name, u))
    T = inputs.shape[1]
    K = remember(state, name + ".kernel", precise(filter(T - L, T))[None])
    if L == 1:
        y = (K.flip(1) * inputs).sum(1, keepdim=True)
    else:  # transforms of twice the length, so that nothing wraps around
        y = torch.fft.irfft(torch.fft.rfft(inputs, 2 * T, 1) * torch.fft.rfft(K, 2 * T, 1), 2 * T, 1)[:, T - L:T]
    return y.to(u.dtype) + D * u
