"""AutoencoderKL: 8 x 8 pixels to one cell of 4 channels. Module names are the official key names."""

import torch.nn.functional as F
from torch import Tensor, nn

CONFIG = {
    '_class_name': 'AutoencoderKL',
    'act_fn': 'silu',
    'block_out_channels': [32, 32, 64, 128],
    'down_block_types': ['DownEncoderBlock2D'] * 4,
    'force_upcast': False,
    'in_channels': 3,
    'latent_channels': 4,
    'layers_per_block': 1,
    'norm_num_groups': 8,
    'out_channels': 3,
    'sample_size': 512,
    'up_block_types': ['UpDecoderBlock2D'] * 4,
}
GROUPS = CONFIG['norm_num_groups']


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels, eps=1e-6)


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Resnet(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norm1, self.conv1 = norm(inputs), conv(inputs, outputs)
        self.norm2, self.conv2 = norm(outputs), conv(outputs, outputs)
        if inputs != outputs:
            self.conv_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if hasattr(self, 'conv_shortcut') else x)


class Attention(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.group_norm = norm(channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)  # (B, HW, C)
        out = F.scaled_dot_product_attention(self.to_q(tokens), self.to_k(tokens), self.to_v(tokens))
        return x + self.to_out[0](out).transpose(1, 2).reshape(x.shape)


class Mid(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(channels, channels) for _ in range(2)])
        self.attentions = nn.ModuleList([Attention(channels)])

    def forward(self, x: Tensor) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Downsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))  # right and bottom only, as the official layout has it


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode='nearest'))


class Down(nn.Module):
    def __init__(self, inputs: int, outputs: int, layers: int, last: bool):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(inputs if i == 0 else outputs, outputs) for i in range(layers)])
        if not last:
            self.downsamplers = nn.ModuleList([Downsample(outputs)])

    def forward(self, x: Tensor) -> Tensor:
        for resnet in self.resnets:
            x = resnet(x)
        return self.downsamplers[0](x) if hasattr(self, 'downsamplers') else x


class Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, layers: int, last: bool):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(inputs if i == 0 else outputs, outputs) for i in range(layers)])
        if not last:
            self.upsamplers = nn.ModuleList([Upsample(outputs)])

    def forward(self, x: Tensor) -> Tensor:
        for resnet in self.resnets:
            x = resnet(x)
        return self.upsamplers[0](x) if hasattr(self, 'upsamplers') else x


class Encoder(nn.Module):
    def __init__(self, widths: list[int], layers: int, latent: int):
        super().__init__()
        self.conv_in = conv(3, widths[0])
        inputs = [widths[0], *widths[:-1]]
        self.down_blocks = nn.ModuleList(
            [Down(a, b, layers, i == len(widths) - 1) for i, (a, b) in enumerate(zip(inputs, widths))]
        )
        self.mid_block = Mid(widths[-1])
        self.conv_norm_out, self.conv_out = norm(widths[-1]), conv(widths[-1], 2 * latent)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    def __init__(self, widths: list[int], layers: int, latent: int):
        super().__init__()
        widths = widths[::-1]
        self.conv_in = conv(latent, widths[0])
        self.mid_block = Mid(widths[0])
        inputs = [widths[0], *widths[:-1]]
        self.up_blocks = nn.ModuleList(
            [Up(a, b, layers + 1, i == len(widths) - 1) for i, (a, b) in enumerate(zip(inputs, widths))]
        )
        self.conv_norm_out, self.conv_out = norm(widths[-1]), conv(widths[-1], 3)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(z))
        for block in self.up_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Vae(nn.Module):
    def __init__(self, config: dict = CONFIG):
        super().__init__()
        widths, layers, latent = config['block_out_channels'], config['layers_per_block'], config['latent_channels']
        self.encoder, self.decoder = Encoder(widths, layers, latent), Decoder(widths, layers, latent)
        self.quant_conv = nn.Conv2d(2 * latent, 2 * latent, 1)
        self.post_quant_conv = nn.Conv2d(latent, latent, 1)

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance, (B, 4, H/8, W/8) each, of pixels in [-1, 1]."""
        mean, logvar = self.quant_conv(self.encoder(pixels)).chunk(2, dim=1)
        return mean, logvar.clamp(-30, 20)

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(latents))
