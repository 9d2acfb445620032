import { StartError } from '../errors.ts';
import type { AttentionForm } from './networks/layers.ts';
import type { ExecutionProvider } from './onnx/session.ts';
import type { Provider } from './request.ts';

export class ProviderUnavailable extends StartError {}

export async function chooseProvider(
  asked: Provider,
  _threads: number,
): Promise<{ provider: ExecutionProvider; attention: AttentionForm }> {
  return { provider: asked === 'auto' ? 'cpu' : asked, attention: 'fused' };
}
