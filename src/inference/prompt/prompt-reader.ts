import { LRUCache } from 'lru-cache';
import { cleanCaption, plainCaption } from './caption.ts';
import type { Tokenizer } from './tokenizer.ts';

/** A prompt as a model reads it: cleaned or not, and cut to its length. */
export type ReadPrompt = (prompt: string, isCleaned: boolean) => ReturnType<Tokenizer['encode']>;

/** Prompts of one model whose ids are kept: the images of one generation are not the only ones that share theirs. */
const kept = 64;

export function createPromptReader(tokenizer: Tokenizer, maxTokens: number): ReadPrompt {
  const known = new LRUCache<string, ReturnType<ReadPrompt>>({ max: kept });
  return (prompt, isCleaned) => {
    const key = `${isCleaned} ${prompt}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const caption = isCleaned ? cleanCaption(prompt) : plainCaption(prompt);
    const read = tokenizer.encode(caption, maxTokens);
    known.set(key, read);
    return read;
  };
}
