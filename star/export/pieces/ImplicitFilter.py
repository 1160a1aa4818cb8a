import math

import torch
import torch.nn.functional as F
from torch import nn


class ImplicitFilter(nn.Module):
    """A long kernel made by a small network of the position t, under an exponential window (Hyena, arXiv 2302.10866):

        K(t) = (W₂ sin(W₁ p(t) + b₁)) exp(−softplus(decay) t),  p(t) = [t/l, cos(2πft/l) f = 1…8, sin(2πft/l) f = 1…8]

    where l is the length of the sequences of its first training; t may exceed it.
    """

    def __init__(self, channels, length):
        super().__init__()
        self.length = length
        self.w1 = nn.Parameter(torch.empty(32, 17))
        self.b1 = nn.Parameter(torch.empty(32))
        self.w2 = nn.Parameter(torch.empty(channels, 32))
        self.decay = nn.Parameter(torch.empty(channels))

    def forward(self, first, last):
        """K(t) [last − first, channels] for t from first to last − 1."""
        t = torch.arange(first, last, device=self.w1.device)[:, None]
        turns = t * torch.arange(1, 9, device=t.device) % self.length  # whole numbers, hence exact
        dtype = torch.promote_types(self.w1.dtype, torch.float32)
        t, phase = t.to(dtype), turns.to(dtype) * (2 * math.pi / self.length)
        p = torch.cat([t / self.length, phase.cos(), phase.sin()], 1).to(self.w1.dtype)
        hidden = torch.sin(F.linear(p, self.w1, self.b1))
        return F.linear(hidden, self.w2) * torch.exp(-F.softplus(self.decay) * t)
