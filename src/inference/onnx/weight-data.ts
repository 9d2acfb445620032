import { fstatSync, statSync } from 'node:fs';
import { relative } from 'node:path';
import { decodeFloats, dtypes, isFloatDtype } from './dtype.ts';
import { FileChanged, FileDamaged, type OpenFile, openFile, stampOf } from './file.ts';
import type { TensorEntry } from './safetensors.ts';
import { TensorMismatch, type Weights } from './weights.ts';

/** The data behind a network's weights, for as long as the network is loaded. */
export type WeightData = {
  /** Too large to be copied: ONNX Runtime maps the files. */
  readonly isMapped: boolean;
  /** The whole files, by the names that graphs have for them. Not kept here. @throws FileChanged */
  readAll(): Promise<{ path: string; data: Uint8Array }[]>;
  /**
   * Right after ONNX Runtime has mapped the files by their paths: are they the files that were opened?
   * @throws FileChanged
   */
  checkMapped(): void;
  /** @throws FileChanged where mapped memory may no longer be what was loaded, or not be there at all */
  checkUnchanged(): void;
  /** Row-major, converted from F32, F16, BF16 or F64. @throws FileChanged, TensorMismatch */
  read(name: string): Promise<Float32Array>;
  /** Rows of the first axis, one after the other, in the order asked for. @throws as `read` */
  readRows(name: string, rows: ArrayLike<number>): Promise<Float32Array>;
  close(): Promise<void>;
};

/**
 * Files of fewer bytes are read into memory: what happens to them afterwards does not matter.
 * Larger ones stay mapped, so that loading takes no time and the system can take the memory back.
 */
const usuallyMappedFrom = 256 * 2 ** 20;

/**
 * Open the files of checked weights. They must still be the files that were checked.
 * @throws FileChanged, FileUnreadable
 */
export async function openWeightData(
  weights: Weights,
  { mappedFrom = usuallyMappedFrom }: { mappedFrom?: number } = {},
): Promise<WeightData> {
  const opened = new Map<string, OpenFile>();
  const close = async () => {
    for (const { handle } of opened.values()) await handle.close();
    opened.clear();
  };
  /** An open file may be renamed, linked or unlinked: its data stays. */
  const isUnchanged = ({ handle, stamp }: OpenFile) =>
    stampOf(stamp.path, fstatSync(handle.fd, { bigint: true })).dataVersion === stamp.dataVersion;
  const checkUnchanged = () => {
    for (const file of opened.values()) {
      if (!isUnchanged(file)) throw new FileChanged(file.stamp.path);
    }
  };

  async function readFloats(name: string, ranges: readonly Range[]): Promise<Float32Array> {
    const entry = weights.entry(name);
    const file = opened.get(entry.file)!;
    const floats = await floatsOf(name, entry, { file, ranges });
    if (!isUnchanged(file)) throw new FileChanged(entry.file);
    return floats;
  }

  try {
    let bytes = 0;
    for (const { path, version } of weights.files) {
      const file = await openFile(path);
      opened.set(path, file);
      if (file.stamp.version !== version) throw new FileChanged(path);
      bytes += file.size;
    }
    const isMapped = bytes >= mappedFrom;
    return {
      isMapped,
      async readAll() {
        const contents: { path: string; data: Uint8Array }[] = [];
        for (const { handle, stamp, size } of opened.values()) {
          const data = new Uint8Array(size);
          await fill(handle, data, 0, stamp.path);
          const after = fstatSync(handle.fd, { bigint: true });
          const isReplaced = after.nlink === 0n; // By another file: this one is as it was.
          if (!isReplaced && stampOf(stamp.path, after).version !== stamp.version) {
            throw new FileChanged(stamp.path);
          }
          contents.push({ path: relative(weights.root, stamp.path), data });
        }
        return contents;
      },
      checkMapped() {
        for (const { path, version } of isMapped ? weights.files : []) {
          const found = statSync(path, { bigint: true, throwIfNoEntry: false });
          if (found === undefined || stampOf(path, found).version !== version) {
            throw new FileChanged(path);
          }
        }
      },
      checkUnchanged: isMapped ? checkUnchanged : () => undefined,
      read: (name) => readFloats(name, [{ start: 0, length: weights.entry(name).length }]),
      readRows(name, rows) {
        const { shape, length } = weights.entry(name);
        const count = shape[0] ?? 0;
        const rowBytes = count === 0 ? 0 : length / count;
        const ranges = Array.from(rows, (row) => {
          if (!Number.isInteger(row) || row < 0 || row >= count) {
            throw new TensorMismatch(name, `a table with row ${row}`, `${count} rows`);
          }
          return { start: row * rowBytes, length: rowBytes };
        });
        return readFloats(name, ranges);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type Range = { readonly start: number; readonly length: number };

async function floatsOf(
  name: string,
  { dtype, offset }: TensorEntry,
  { file, ranges }: { file: OpenFile; ranges: readonly Range[] },
): Promise<Float32Array> {
  if (!isFloatDtype(dtype)) throw new TensorMismatch(name, 'floating-point numbers', dtype);
  const floats = new Float32Array(
    (ranges.reduce((sum, { length }) => sum + length, 0) * 8) / dtypes[dtype].bits,
  );
  let position = 0;
  for (const { start, length } of ranges) {
    const bytes = new Uint8Array(length);
    await fill(file.handle, bytes, offset + start, file.stamp.path);
    const decoded = decodeFloats(bytes, dtype);
    floats.set(decoded, position);
    position += decoded.length;
  }
  return floats;
}

async function fill(
  handle: OpenFile['handle'],
  bytes: Uint8Array,
  offset: number,
  path: string,
): Promise<void> {
  for (let filled = 0; filled < bytes.length; ) {
    // One system call reads less than 2 GiB.
    const length = Math.min(bytes.length - filled, 2 ** 30);
    const { bytesRead } = await handle.read(bytes, filled, length, offset + filled);
    if (bytesRead === 0) throw new FileDamaged(path, 'Expected more data, but got the end');
    filled += bytesRead;
  }
}
