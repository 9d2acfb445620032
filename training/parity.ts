/**
 * Easel's side of `parity/`: one JSON job per line on standard input, one JSON answer per line on
 * standard output. Tensors are files of little-endian float32. It only joins the engine's own doors.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openScheduler } from '../src/inference/checkpoints/scheduler.ts';
import { openTextEncoder } from '../src/inference/checkpoints/text-encoder.ts';
import { openTransformer } from '../src/inference/checkpoints/transformer.ts';
import { openVae } from '../src/inference/checkpoints/vae.ts';
import { loadTextEncoder } from '../src/inference/networks/text-encoder.ts';
import { loadTransformer } from '../src/inference/networks/transformer.ts';
import { loadVae } from '../src/inference/networks/vae.ts';
import { defaultPlan } from '../src/inference/onnx/graph.ts';
import { createDenoiser } from '../src/inference/pipelines/denoiser.ts';
import { denoiseSteps } from '../src/inference/pipelines/denoising.ts';
import { createTurns } from '../src/inference/pipelines/turns.ts';
import { cleanCaption, plainCaption } from '../src/inference/prompt/caption.ts';
import { loadTokenizer } from '../src/inference/prompt/tokenizer.ts';
import { initialLatents, stepNoise } from '../src/inference/sampling/latents.ts';
import { pathOf, type Sampler, samplerOf, samplers } from '../src/inference/sampling/samplers.ts';

type Job = { folder: string; out: string } & (
  | {
      kind: 'transformer';
      latents: string;
      height: number;
      width: number;
      timesteps: number[];
      /** Of each sample: a file of (tokens, channels), and how many tokens. */
      captions: { file: string; tokens: number }[];
    }
  | { kind: 't5'; ids: number[][] }
  | { kind: 'decode' | 'encode'; input: string; height: number; width: number }
  | {
      kind: 'pipeline';
      prompt: string;
      negative: string;
      clean: boolean;
      maxTokens: number;
      sampler: Sampler;
      steps: number;
      guidanceScale: number;
      seed: number;
      /** Pixels. */
      height: number;
      width: number;
    }
  | { kind: 'noise'; seed: number; count: number; step: number }
);

const runtime = { provider: 'cpu', threads: 1, plan: defaultPlan } as const;

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await run(JSON.parse(line) as Job).catch((error: unknown) => ({
    error: error instanceof Error ? `${error.message} ${error.stack}` : String(error),
  }));
  console.log(JSON.stringify(answer));
}

async function run(job: Job): Promise<object> {
  switch (job.kind) {
    case 'transformer': {
      const transformer = await loadTransformer(await openTransformer(job.folder), runtime);
      const latents = await floats(job.latents);
      const size = latents.length / job.timesteps.length;
      const noise: Float32Array[] = [];
      for (const [i, timestep] of job.timesteps.entries()) {
        const { file, tokens } = job.captions[i]!;
        const conditioning = await transformer.condition({ data: await floats(file), tokens });
        const one = latents.slice(i * size, (i + 1) * size);
        const { height, width } = job;
        const input = { latents: one, height, width, timestep, conditioning };
        noise.push(...(await transformer.predict([input])));
      }
      await transformer.release();
      return write(job.out, noise);
    }
    case 't5': {
      const encoder = await loadTextEncoder(await openTextEncoder(job.folder), runtime);
      const embeddings: Float32Array[] = [];
      for (const ids of job.ids) embeddings.push((await encoder.encode(ids)).data);
      await encoder.release();
      return write(job.out, embeddings);
    }
    case 'decode':
    case 'encode': {
      const vae = await loadVae(await openVae(job.folder), runtime);
      const input = await floats(job.input);
      if (job.kind === 'decode') {
        const { data } = await vae.decode(input, job.height, job.width);
        await vae.release();
        return write(job.out, [data]);
      }
      const { mean, logvar } = await vae.encode(input, job.height, job.width);
      await vae.release();
      return write(job.out, [mean, logvar]);
    }
    case 'noise':
      return write(job.out, [stepNoise(job.seed, job.step, job.count)]);
    case 'pipeline': {
      const part = (name: string) => join(job.folder, name);
      const tokenizer = await loadTokenizer(part('tokenizer'));
      const encoder = await loadTextEncoder(await openTextEncoder(part('text_encoder')), runtime);
      const transformer = await loadTransformer(await openTransformer(part('transformer')), runtime);
      const vae = await loadVae(await openVae(part('vae')), runtime);
      const { schedule } = samplerOf(await openScheduler(part('scheduler'), null));
      const clean = job.clean ? cleanCaption : plainCaption;
      const ids = [job.prompt, job.negative].map(
        (text) => tokenizer.encode(clean(text), job.maxTokens).ids,
      );
      const [conditioning, unconditional] = await Promise.all(
        ids.map(async (own) => transformer.condition(await encoder.encode(own))),
      );
      let latents = initialLatents(job.seed, job);
      const steps = denoiseSteps({
        job: { share: '', order: 0, isCanceled: () => false },
        request: { ...job, guidanceStart: 0, guidanceEnd: 1 },
        denoiser: createDenoiser(createTurns()),
        transformer,
        schedule,
        sample: samplers[job.sampler].sample,
        points: pathOf(job.sampler, schedule, job.steps),
        latents,
        conditioning: conditioning!,
        unconditional: job.guidanceScale > 1 ? unconditional! : null,
        perturbedScale: 0,
      });
      for await (const step of steps) latents = step.latents;
      const [latentHeight, latentWidth] = [job.height / 8, job.width / 8];
      const picture = await vae.decode(latents, latentHeight, latentWidth);
      await Promise.all([encoder.release(), transformer.release(), vae.release()]);
      return { ids, ...(await write(job.out, [latents, picture.data])) };
    }
  }
}

async function floats(file: string): Promise<Float32Array> {
  const bytes = await readFile(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

async function write(file: string, tensors: readonly Float32Array[]): Promise<object> {
  const bytes = tensors.map((t) => Buffer.from(t.buffer, t.byteOffset, t.byteLength));
  await writeFile(file, Buffer.concat(bytes));
  return { counts: tensors.map((tensor) => tensor.length) };
}
