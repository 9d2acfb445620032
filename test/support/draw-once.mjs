/**
 * Draw one picture in a process of its own, because graphics drivers are found by the environment
 * that a process starts with. Arguments: folder of models, provider. Prints JSON.
 */
import { startEngine } from '../../dist/inference/engine/engine.js';

const [modelFolder, provider] = process.argv.slice(2);
const request = {
  model: 'random',
  prompt: 'a red boat on the sea',
  negativePrompt: '',
  cleanCaption: true,
  width: 64,
  height: 64,
  steps: 2,
  guidanceScale: 4.5,
  guidanceStart: 0,
  guidanceEnd: 1,
  sampler: 'DPMPP_2M',
  seed: 7,
  share: '',
};

try {
  const engine = await startEngine({ modelFolders: [modelFolder], provider, threads: 2 });
  for await (const event of engine.generate(request, { signal: new AbortController().signal })) {
    if (event.type !== 'image') continue;
    const rgb = Buffer.from(event.rgb).toString('base64');
    process.stdout.write(JSON.stringify({ provider: engine.provider, rgb }));
  }
  await engine.close();
} catch (error) {
  process.stdout.write(JSON.stringify({ refused: error.message, name: error.name }));
}
