import type { Frame } from '../../events/events.ts';
import { type EncodedPicture, encodeFrame } from '../../images/encode.ts';
import type { PreviewFormat, PreviewView } from './views.ts';

/** Frames since the start: made by the engine, and turned into files. */
export type FrameCounters = { framesComputed: number; framesEncoded: number };

/** A frame of one image, as it came. */
export type ImageFrame = {
  readonly index: number;
  readonly step: number;
  readonly frame: Frame;
  /** Longest side of the finished image, in pixels: no preview is larger. */
  readonly imageSide: number;
};

export type Frames = {
  readonly counters: FrameCounters;
  /** As a viewer wants it. Viewers that want the same share the work. */
  encode(
    image: ImageFrame,
    options: { format: PreviewFormat; maxSize: number | null },
  ): Promise<PreviewView>;
};

export function createFrames(): Frames {
  const counters: FrameCounters = { framesComputed: 0, framesEncoded: 0 };
  // Weak: an encoding lives as long as its frame, which goes when no viewer waits for it.
  const encodings = new WeakMap<Frame, Map<string, Promise<EncodedPicture>>>();
  const encodeOnce = (frame: Frame, format: PreviewFormat, maxSize: number | null) => {
    const known = encodings.get(frame) ?? new Map<string, Promise<EncodedPicture>>();
    encodings.set(frame, known);
    const key = `${format} ${maxSize}`;
    const encoding = known.get(key) ?? encodeFrame(frame, { format, maxSize });
    if (!known.has(key)) counters.framesEncoded += 1;
    known.set(key, encoding);
    return encoding;
  };
  return {
    counters,
    async encode({ index, step, frame, imageSide }, { format, maxSize }) {
      const bounded = maxSize === null ? null : Math.min(maxSize, imageSide);
      const { bytes, width, height, mime } = await encodeOnce(frame, format, bounded);
      const dataUrl = `data:${mime};base64,${bytes.toString('base64')}`;
      return { index, step, width, height, dataUrl };
    },
  };
}
