import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, freemem, release, totalmem } from 'node:os';
import { type Figure, show } from './figure.ts';

export type Section = {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  /** That other programs kept busy meanwhile. */
  readonly coresOfOthers: number;
};

/** What the figures were taken on, and with. */
export function describeMachine() {
  const gigabytes = (bytes: number) => Math.round(bytes / 1e9);
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: gigabytes(totalmem()),
    freeMemoryGB: gigabytes(freemem()),
    system: `${process.platform} ${release()}`,
    node: process.version,
    onnxruntime: versionOf('onnxruntime-node'),
    easel: version(new URL('../package.json', import.meta.url)),
    commit: commit(),
    model: modelOf(),
  };
}

export type Machine = ReturnType<typeof describeMachine>;

export function markdownOf(machine: Machine, sections: readonly Section[]): string {
  const lines = [
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGB} GB · ${machine.system} · Node ${machine.node} · onnxruntime-node ${machine.onnxruntime} · Easel ${machine.easel} (${machine.commit}) · ${machine.model}`,
    '',
  ];
  for (const { name, title, figures, coresOfOthers } of sections) {
    lines.push(
      `**${title}** (\`npm run bench -- ${name}\`; others used ${coresOfOthers.toFixed(1)} cores)`,
      '',
    );
    lines.push('| what | figure | at most | |', '| --- | ---: | ---: | --- |');
    for (const { what, value, unit, atMost, note } of figures) {
      const bound = atMost === undefined ? '' : `${show(atMost)} ${unit}`;
      lines.push(`| ${what} | ${show(value)} ${unit} | ${bound} | ${note ?? ''} |`);
    }
    lines.push('');
  }
  return lines.join('\n');
}

function modelOf(): string {
  const file = new URL('../models/easel-mini/transformer/config.json', import.meta.url);
  const config = JSON.parse(readFileSync(file, 'utf8')) as {
    num_layers: number;
    num_attention_heads: number;
    attention_head_dim: number;
    kv_compress_config?: { kv_compress_layer: readonly number[] };
  };
  const width = config.num_attention_heads * config.attention_head_dim;
  const compressed = config.kv_compress_config?.kv_compress_layer.length ?? 0;
  const compression = compressed > 0 ? `, ${compressed} with key/value compression` : '';
  return `easel-mini: ${config.num_layers} blocks of width ${width}${compression}`;
}

function versionOf(name: string): string {
  return version(new URL(`../node_modules/${name}/package.json`, import.meta.url));
}

function version(file: URL): string {
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function commit(): string {
  try {
    const options = { cwd: new URL('..', import.meta.url), encoding: 'utf8' } as const;
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], options).trim();
  } catch {
    return 'no commit'; // An unpacked archive: there is none to name.
  }
}
