import type { PreviewFrame } from '../../events/events.ts';
import { type EncodedPicture, encodeFrame } from '../../images/encode.ts';

export type PreviewFormat = 'WEBP' | 'JPEG';

/** What a viewer wants of the frames. */
export type PreviewOptions = {
  readonly format: PreviewFormat;
  /** Longest side in pixels; null: the frame's own size. */
  readonly maxSize: number | null;
  /** At most one frame of an image per this many milliseconds. */
  readonly everyMs: number;
};

/** A frame of one image, as it came. */
export type ImagePreview = {
  readonly index: number;
  readonly step: number;
  readonly frame: PreviewFrame;
  /** Longest side of the finished image, in pixels: no preview is larger. */
  readonly imageSide: number;
};

/** A frame of image `index` after `step` steps, as a viewer gets it. */
export type PreviewView = {
  readonly index: number;
  readonly step: number;
  readonly width: number;
  readonly height: number;
  readonly dataUrl: string;
};

export type FrameEncoder = {
  /** Encodings that were made since the start. */
  readonly framesEncoded: number;
  /** As a viewer wants it. Viewers that want the same share the work. */
  encode(
    image: ImagePreview,
    options: Pick<PreviewOptions, 'format' | 'maxSize'>,
  ): Promise<PreviewView>;
};

export function createFrameEncoder(): FrameEncoder {
  let framesEncoded = 0;
  // Weak: an encoding lives as long as its frame, which goes when no viewer waits for it.
  const encodings = new WeakMap<PreviewFrame, Map<string, Promise<EncodedPicture>>>();
  const encodeOnce = (frame: PreviewFrame, format: PreviewFormat, maxSize: number | null) => {
    const known = encodings.get(frame) ?? new Map<string, Promise<EncodedPicture>>();
    encodings.set(frame, known);
    const key = `${format} ${maxSize}`;
    const encoding = known.get(key) ?? encodeFrame(frame, { format, maxSize });
    if (!known.has(key)) framesEncoded += 1;
    known.set(key, encoding);
    return encoding;
  };
  return {
    get framesEncoded() {
      return framesEncoded;
    },
    async encode({ index, step, frame, imageSide }, { format, maxSize }) {
      const bounded = maxSize === null ? null : Math.min(maxSize, imageSide);
      const { bytes, width, height, mime } = await encodeOnce(frame, format, bounded);
      const dataUrl = `data:${mime};base64,${bytes.toString('base64')}`;
      return { index, step, width, height, dataUrl };
    },
  };
}
