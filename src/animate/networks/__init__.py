"""Networks: `nn.Module` only, built from plain numbers, without losses, data or training."""
