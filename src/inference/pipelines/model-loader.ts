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
export type ModelRef = { readonly folder: string; readonly revision: string };

/** A model, ready to run. */
export type LoadedModel = {
  readonly model: Model;
  readonly transformer: Transformer;
  readonly textEncoder: TextEncoder;
  readonly vae: Vae;
  readonly latentRgb: LatentRgb;
  release(): Promise<void>;
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
}): (ref: ModelRef) => Promise<LoadedModel> {
  const networks = createSharedNetworks();
  const runtime = (network: keyof ProviderChoice['plans']) => ({
    provider: choice.provider,
    threads,
    plan: choice.plans[network],
  });

  return async function load({ folder, revision }) {
    const model = await openModel(folder);
    if (model.revision !== revision) throw new FileChanged(folder);
    const leases: NetworkLease<unknown>[] = [];
    const release = async () => {
      await Promise.all(leases.map((lease) => lease.release()));
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
      await release();
      throw error;
    }
  };
}
