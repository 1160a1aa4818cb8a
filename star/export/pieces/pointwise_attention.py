import math


def pointwise_attention(f, q, k, v, window=None):
    """f(q kᵀ / √e) v divided by the number of visible tokens: q [B, H, L, e], k and v [B, H, T, e]."""
    mask = visible(q.shape[2], k.shape[2], window, q.device)
    scores = f(q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~mask, 0)
    return scores @ v / mask.sum(-1, keepdim=True)
