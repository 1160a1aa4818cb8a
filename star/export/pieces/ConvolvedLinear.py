import torch
import torch.nn.functional as F
from torch import nn


class ConvolvedLinear(nn.Linear):
    """A linear map, a causal depthwise convolution, then the bias."""

    def __init__(self, inputs, outputs, bias, taps=3):
        super().__init__(inputs, outputs, bias)
        self.conv = nn.Parameter(torch.empty(outputs, taps))

    def forward(self, x, state, name):
        u = causal_convolution(F.linear(x, self.weight), self.conv, state, name)
        return u if self.bias is None else u + self.bias
