import { LRUCache } from 'lru-cache';
import { cleanCaption, plainCaption } from './caption.ts';
import type { Tokenizer } from './tokenizer.ts';
import { parseWeights, weightsOf } from './weighting.ts';

/** A prompt as a model reads it: cleaned or not, with weights or not, and cut to its length. */
export type ReadPrompt = (
  prompt: string,
  how: { readonly isCleaned: boolean; readonly isWeighted: boolean },
) => PromptRead;

export type PromptRead = ReturnType<Tokenizer['encode']> & {
  /** One for each id. Null: all are 1. */
  readonly weights: readonly number[] | null;
};

/** Prompts of one model whose ids are kept: the images of one generation are not the only ones that share theirs. */
const kept = 64;

/** @throws BadInput out of reading, where a weight lies beyond its limits */
export function createPromptReader(tokenizer: Tokenizer, maxTokens: number): ReadPrompt {
  const known = new LRUCache<string, PromptRead>({ max: kept });
  const encode = (text: string, isCleaned: boolean) =>
    tokenizer.encode(isCleaned ? cleanCaption(text) : plainCaption(text), maxTokens);

  function read(prompt: string, { isCleaned, isWeighted }: Parameters<ReadPrompt>[1]): PromptRead {
    if (!isWeighted) return { ...encode(prompt, isCleaned), weights: null };
    const runs = parseWeights(prompt);
    const encoded = encode(runs.map(({ text }) => text).join(''), isCleaned);
    const isPlain = runs.every(({ weight }) => weight === 1);
    const pieces = encoded.ids.map((id) => tokenizer.textOf(id));
    return { ...encoded, weights: isPlain ? null : weightsOf(runs, pieces) };
  }

  return (prompt, how) => {
    const key = `${how.isCleaned} ${how.isWeighted} ${prompt}`;
    const result = known.get(key) ?? read(prompt, how);
    known.set(key, result);
    return result;
  };
}
