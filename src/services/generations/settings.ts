import type { Sampler } from '../../inference/request.ts';

/** What a client asks for. Left out and null are the same: the model's default. */
export type SettingsInput = {
  readonly prompt: string;
  readonly negativePrompt?: string | null;
  readonly cleanCaption?: boolean | null;
  readonly model?: string | null;
  readonly width?: number | null;
  readonly height?: number | null;
  readonly exactSize?: boolean | null;
  readonly steps?: number | null;
  readonly guidanceScale?: number | null;
  readonly guidanceStart?: number | null;
  readonly guidanceEnd?: number | null;
  readonly sampler?: Sampler | null;
  readonly seed?: number | null;
  readonly count?: number | null;
};
