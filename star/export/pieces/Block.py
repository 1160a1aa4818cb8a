from torch import nn


class Block(nn.Module):
    """A layer behind its norm; what it returns is added to the residual stream."""

    def __init__(self, liv):
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH, eps=1e-5)
        self.liv = liv

    def forward(self, h, state, **given):
        return self.liv(self.norm(h), state, **given)
