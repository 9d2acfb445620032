/** Shapes of tensors by their names. */
export type Shapes = Record<string, readonly number[]>;

/** Every tensor of a PixArt transformer under its diffusers name. */
export function transformerShapes(size: {
  width: number;
  layers: number;
  caption: number;
  kvCompress?: { scaleFactor: number; layers: readonly number[] } | undefined;
}): Shapes {
  const { width, caption } = size;
  const shapes: Shapes = {
    'pos_embed.proj.weight': [width, 4, 2, 2],
    'pos_embed.proj.bias': [width],
    ...linear('caption_projection.linear_1', caption, width),
    ...linear('caption_projection.linear_2', width, width),
    ...linear('adaln_single.emb.timestep_embedder.linear_1', 256, width),
    ...linear('adaln_single.emb.timestep_embedder.linear_2', width, width),
    ...linear('adaln_single.linear', width, 6 * width),
    ...linear('proj_out', width, 32),
    scale_shift_table: [2, width],
  };
  for (let layer = 0; layer < size.layers; layer++) {
    const block = `transformer_blocks.${layer}`;
    shapes[`${block}.scale_shift_table`] = [6, width];
    for (const part of ['to_q', 'to_k', 'to_v', 'to_out.0']) {
      Object.assign(shapes, linear(`${block}.attn1.${part}`, width, width));
      Object.assign(shapes, linear(`${block}.attn2.${part}`, width, width));
    }
    Object.assign(shapes, linear(`${block}.ff.net.0.proj`, width, 4 * width));
    Object.assign(shapes, linear(`${block}.ff.net.2`, 4 * width, width));
    if (size.kvCompress?.layers.includes(layer)) {
      const { scaleFactor } = size.kvCompress;
      shapes[`${block}.attn1.sr.weight`] = [width, 1, scaleFactor, scaleFactor];
      shapes[`${block}.attn1.sr.bias`] = [width];
      shapes[`${block}.attn1.norm.weight`] = [width];
      shapes[`${block}.attn1.norm.bias`] = [width];
    }
  }
  return shapes;
}

/** Every tensor of a T5 v1.1 encoder. */
export function t5Shapes(size: {
  width: number;
  inner: number;
  hidden: number;
  heads: number;
  layers: number;
  vocabulary: number;
}): Shapes {
  const { width, inner, hidden } = size;
  const shapes: Shapes = {
    'shared.weight': [size.vocabulary, width],
    'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight': [32, size.heads],
    'encoder.final_layer_norm.weight': [width],
  };
  for (let layer = 0; layer < size.layers; layer++) {
    const block = `encoder.block.${layer}.layer`;
    for (const part of ['q', 'k', 'v']) {
      shapes[`${block}.0.SelfAttention.${part}.weight`] = [inner, width];
    }
    shapes[`${block}.0.SelfAttention.o.weight`] = [width, inner];
    shapes[`${block}.0.layer_norm.weight`] = [width];
    shapes[`${block}.1.DenseReluDense.wi_0.weight`] = [hidden, width];
    shapes[`${block}.1.DenseReluDense.wi_1.weight`] = [hidden, width];
    shapes[`${block}.1.DenseReluDense.wo.weight`] = [width, hidden];
    shapes[`${block}.1.layer_norm.weight`] = [width];
  }
  return shapes;
}

/** Every tensor of an AutoencoderKL with 4 latent channels. */
export function vaeShapes(size: { channels: readonly number[]; layersPerBlock: number }): Shapes {
  const { channels, layersPerBlock } = size;
  const first = channels[0]!;
  const last = channels.at(-1)!;
  const shapes: Shapes = {
    ...conv('encoder.conv_in', 3, first),
    ...middle('encoder', last),
    ...norm('encoder.conv_norm_out', last),
    ...conv('encoder.conv_out', last, 8),
    ...conv('quant_conv', 8, 8, 1),
    ...conv('post_quant_conv', 4, 4, 1),
    ...conv('decoder.conv_in', 4, last),
    ...middle('decoder', last),
    ...norm('decoder.conv_norm_out', first),
    ...conv('decoder.conv_out', first, 3),
  };
  channels.forEach((channel, level) => {
    const isLast = level === channels.length - 1;
    const down = `encoder.down_blocks.${level}`;
    for (let i = 0; i < layersPerBlock; i++) {
      const from = i === 0 ? (channels[level - 1] ?? first) : channel;
      Object.assign(shapes, resnet(`${down}.resnets.${i}`, from, channel));
    }
    if (!isLast) Object.assign(shapes, conv(`${down}.downsamplers.0.conv`, channel, channel));

    const up = `decoder.up_blocks.${level}`;
    const [to, from] = [channels.at(-1 - level)!, channels.at(-level) ?? last];
    for (let i = 0; i <= layersPerBlock; i++) {
      const before = i > 0 ? to : level === 0 ? last : from;
      Object.assign(shapes, resnet(`${up}.resnets.${i}`, before, to));
    }
    if (!isLast) Object.assign(shapes, conv(`${up}.upsamplers.0.conv`, to, to));
  });
  return shapes;
}

function middle(part: string, channels: number): Shapes {
  const attention = `${part}.mid_block.attentions.0`;
  return {
    ...resnet(`${part}.mid_block.resnets.0`, channels, channels),
    ...resnet(`${part}.mid_block.resnets.1`, channels, channels),
    ...norm(`${attention}.group_norm`, channels),
    ...linear(`${attention}.to_q`, channels, channels),
    ...linear(`${attention}.to_k`, channels, channels),
    ...linear(`${attention}.to_v`, channels, channels),
    ...linear(`${attention}.to_out.0`, channels, channels),
  };
}

function resnet(name: string, from: number, to: number): Shapes {
  return {
    ...norm(`${name}.norm1`, from),
    ...conv(`${name}.conv1`, from, to),
    ...norm(`${name}.norm2`, to),
    ...conv(`${name}.conv2`, to, to),
    ...(from === to ? {} : conv(`${name}.conv_shortcut`, from, to, 1)),
  };
}

function linear(name: string, from: number, to: number): Shapes {
  return { [`${name}.weight`]: [to, from], [`${name}.bias`]: [to] };
}

function conv(name: string, from: number, to: number, kernel = 3): Shapes {
  return { [`${name}.weight`]: [to, from, kernel, kernel], [`${name}.bias`]: [to] };
}

function norm(name: string, channels: number): Shapes {
  return { [`${name}.weight`]: [channels], [`${name}.bias`]: [channels] };
}
