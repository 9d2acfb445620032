import type { FoundModel, SkippedFolder } from '../models/discovery.ts';
import type { Opening, RefusedFolder } from '../models/listing.ts';
import type { FileStamp } from '../onnx/file.ts';
import type { ModelDescription } from '../request.ts';
import type { Fault } from './protocol.ts';

/** What the API's thread knows of a model: nothing that was read from its folder but this. */
export type ListedModel = {
  readonly description: ModelDescription;
  readonly found: FoundModel;
  /** Null where it cannot be used. */
  readonly usable: {
    readonly revision: string;
    /** Of the weights of each network. */
    readonly files: Readonly<Record<'transformer' | 'textEncoder' | 'vae', readonly FileStamp[]>>;
  } | null;
};

/** What the thread is started with (`workerData`). */
export type CatalogOptions = {
  readonly modelFolders: readonly string[];
  readonly checksumFile: string | undefined;
  /** Folders that threads before this one ended with. */
  readonly refused: readonly RefusedFolder[];
};

/** Each question, and its answer. */
export type CatalogQuestions = {
  scan: { ask: Record<never, never>; answer: ListedModel[] };
  find: { ask: { name: string }; answer: ListedModel | null };
  count: {
    ask: { name: string; prompt: string; isCleaned: boolean };
    answer: { tokens: number; truncated: boolean } | null;
  };
  checksum: { ask: { files: readonly FileStamp[] }; answer: string };
};

/** To the thread. */
export type CatalogCommand = {
  [Type in keyof CatalogQuestions]: {
    readonly type: Type;
    readonly id: number;
  } & Readonly<CatalogQuestions[Type]['ask']>;
}[keyof CatalogQuestions];

/** From the thread. */
export type CatalogReport =
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'fault'; readonly id: number; readonly fault: Fault }
  /** A folder is being read; null when it was. */
  | { readonly type: 'opening'; readonly opening: Opening | null }
  | { readonly type: 'skipped'; readonly skipped: SkippedFolder };
