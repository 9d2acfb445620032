import type { FoundModel } from '../models/discovery.ts';
import type { LatentRgb } from '../models/easel-file.ts';
import { type Model, openModel } from '../models/model.ts';
import { loadTextEncoder, type TextEncoder } from '../networks/text-encoder.ts';
import { loadTransformer, type Transformer } from '../networks/transformer.ts';
import { loadVae, type Vae } from '../networks/vae.ts';
import { FileChanged } from '../onnx/file.ts';
import type { ProviderChoice } from '../providers.ts';
import { fitLatentRgb } from './preview.ts';
import { createSharedNetworks, type NetworkLease } from './shared-networks.ts';

/** Which model, and as which it was checked: another revision is loaded anew. */
export type ModelRef = { readonly found: FoundModel; readonly revision: string };

/** A model, ready to run. */
export type LoadedModel = {
  readonly model: Model;
  readonly transformer: Transformer;
  readonly textEncoder: TextEncoder;
  readonly vae: Vae;
  readonly latentRgb: LatentRgb;
  /** Lets go of its networks; they stay loaded until `trim`. */
  release(): void;
};

export type ModelLoader = {
  /** @throws FileChanged, and what opening the model and loading its networks throws */
  load(ref: ModelRef): Promise<LoadedModel>;
  /** Unloads the networks that no model uses. */
  trim(): Promise<void>;
};

/**
 * Loads models, each of their networks once, whichever models it belongs to.
 * @param options.threads that one run computes on
 */
export function createModelLoader({
  threads,
  choice,
}: {
  threads: number;
  choice: ProviderChoice;
}): ModelLoader {
  const networks = createSharedNetworks();
  const runtime = (network: keyof ProviderChoice['plans']) => ({
    provider: choice.provider,
    threads,
    plan: choice.plans[network],
  });

  async function loadNetworks(model: Model): Promise<LoadedModel> {
    const leases: NetworkLease<unknown>[] = [];
    const release = () => {
      for (const lease of leases) lease.release();
    };
    async function keep<T extends { release(): Promise<void> }>(
      identity: string,
      open: () => Promise<T>,
    ): Promise<T> {
      const lease = await networks.acquire(identity, open);
      leases.push(lease);
      return lease.network;
    }
    try {
      const textEncoder = await keep(model.textEncoder.identity, () =>
        loadTextEncoder(model.textEncoder, runtime('textEncoder')),
      );
      const transformer = await keep(model.transformer.identity, () =>
        loadTransformer(model.transformer, runtime('transformer')),
      );
      const vae = await keep(model.vae.identity, () => loadVae(model.vae, runtime('vae')));
      const latentRgb = model.latentRgb ?? (await fitLatentRgb(vae));
      return { model, textEncoder, transformer, vae, latentRgb, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  return {
    async load({ found, revision }) {
      const model = await openModel(found);
      if (model.revision !== revision) throw new FileChanged(found.folder);
      // Before anything is loaded, what the last model leaves behind goes, but for what this one shares.
      const parts = [model.textEncoder, model.transformer, model.vae];
      const endReservation = networks.reserve(parts.map(({ identity }) => identity));
      try {
        await networks.trim();
        return await loadNetworks(model);
      } finally {
        endReservation();
      }
    },
    trim: networks.trim,
  };
}
