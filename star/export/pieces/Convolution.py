import torch
from torch import nn


class Convolution(nn.Module):
    """A causal depthwise convolution of 3 taps."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Parameter(torch.empty(channels, 3))

    def forward(self, u, state, name):
        return causal_convolution(u, self.conv, state, name)
