/**
 * Limits of what lies in a model folder, which may come from anywhere: far above what models have,
 * and low enough that reading a folder takes seconds and some hundred megabytes at the worst.
 */
export const folderLimits = {
  /** Bytes of a configuration; PixArt's have 1 kB, `easel.json` up to a few. */
  configBytes: 2 ** 20,
  /** Bytes of the index of weights in shards: a line for each tensor. */
  indexBytes: 8 * 2 ** 20,
  /** Bytes of the header of a `.safetensors` file; PixArt-Σ's has 70 kB. The format allows 100 MB. */
  headerBytes: 16 * 2 ** 20,
  /** Bytes of a tokenizer's file; T5's has 2.4 MB, mT5's 16 MB. */
  tokenizerBytes: 24 * 2 ** 20,
  /** Lists and objects inside each other in JSON, as in serde_json. */
  jsonDepth: 128,
  /** Values and keys in JSON; mT5's tokenizer has 0.8 million. */
  jsonItems: 1_500_000,
  /** Pieces of a vocabulary, and special tokens; mT5 has 250 thousand. */
  pieces: 400_000,
  /** UTF-16 code units of a piece of a vocabulary; T5's longest have 16. */
  pieceLength: 64,
  /** UTF-16 code units of all pieces together; T5's have 0.2 million, mT5's 1.4 million. */
  vocabularyLength: 3_000_000,
  /** Bytes that a character map puts in the place of one entry; the longest of NFKC has 33. */
  replacementBytes: 64,
  /** UTF-16 code units that a character map makes of a prompt; NFKC 144,000 of the longest one. */
  normalizedLength: 200_000,
  /** Characters of `title` and `license` in `easel.json`. */
  titleLength: 200,
  /** Characters of `description` in `easel.json`. */
  descriptionLength: 10_000,
  /** Words of `vocabulary` in `easel.json`, and characters of each. */
  words: 2_000,
  wordLength: 50,
  /** Entries of `sizes` in `easel.json`; the official models have some 40. */
  sizes: 200,
  /** Files of one folder that are looked at to see whether it has changed. */
  filesWatched: 1_000,
  /** Milliseconds for reading a folder: its configurations and the headers of its weights. */
  openingMs: 60_000,
  /** Of the JavaScript memory of the thread that reads folders. */
  catalogMegabytes: 1024,
  /** Bytes of the sentence that says why a model cannot be used. */
  reasonBytes: 300,
} as const;
