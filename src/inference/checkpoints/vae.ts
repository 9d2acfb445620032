import { join } from 'node:path';
import { z } from 'zod';
import { type Checkpoint, identityOf, versionsOf } from './checkpoint.ts';
import { readJson } from './json-file.ts';
import { openWeights } from './weight-files.ts';

/** An AutoencoderKL. */
export type VaeConfig = {
  /** diffusers' class, where the file names one. */
  readonly className: string | null;
  /** Channels of each level, from pixels to latents. */
  readonly channels: readonly number[];
  readonly layersPerBlock: number;
  readonly groups: number;
  readonly imageChannels: number;
  readonly latentChannels: number;
  /** Pixels along the side of the square that it was trained on. */
  readonly sampleSize: number;
  /** Latents as the sampler sees them are the encoder's, times this. */
  readonly scalingFactor: number;
};

const count = () => z.int().positive().max(100_000);

/** Defaults are those of diffusers' `AutoencoderKL`. */
const fileSchema = z
  .object({
    _class_name: z.string().nullish(),
    block_out_channels: z.array(count()).min(1).max(16),
    layers_per_block: z.int().positive().max(100),
    norm_num_groups: count().default(32),
    in_channels: count().default(3),
    latent_channels: count().default(4),
    sample_size: count().default(32),
    scaling_factor: z.number().positive().default(0.18215),
    act_fn: z.literal('silu').default('silu'),
    mid_block_add_attention: z.literal(true).default(true),
    use_quant_conv: z.literal(true).default(true),
    use_post_quant_conv: z.literal(true).default(true),
  })
  .refine(
    ({ block_out_channels: channels, norm_num_groups: groups }) =>
      channels.every((width) => width % groups === 0),
    { path: ['norm_num_groups'], error: 'expected a divisor of every one of block_out_channels' },
  );

/**
 * Read `vae/` of a model folder.
 * @throws FileUnreadable, FileDamaged, DomainError (MODEL_UNAVAILABLE)
 */
export async function openVae(folder: string): Promise<Checkpoint<VaeConfig>> {
  const { value: file, stamp } = await readJson(join(folder, 'config.json'), fileSchema);
  const weights = await openWeights(folder, 'diffusion_pytorch_model');
  const config: VaeConfig = {
    className: file._class_name ?? null,
    channels: file.block_out_channels,
    layersPerBlock: file.layers_per_block,
    groups: file.norm_num_groups,
    imageChannels: file.in_channels,
    latentChannels: file.latent_channels,
    sampleSize: file.sample_size,
    scalingFactor: file.scaling_factor,
  };
  return { config, weights, identity: identityOf(versionsOf([stamp, ...weights.files])) };
}
