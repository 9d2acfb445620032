/** An image or latents, plane by plane: `data` is (channels, height, width). */
export type Planes = {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
};

/** `tile` and `step` are measured in what goes in; `blend` and `keep` in what comes out. */
export type Tiling = {
  readonly tile: number;
  readonly step: number;
  readonly blend: number;
  readonly keep: number;
};

/**
 * Run a network over tiles that overlap, each blended linearly into the one above and the one on
 * its left. Whole where neither side exceeds a tile.
 * Source: diffusers `AutoencoderKL.tiled_decode`, same tiles, same order of blending.
 */
export async function runTiled(
  input: Planes,
  { tile, step, blend, keep }: Tiling,
  run: (tile: Planes) => Promise<Planes>,
): Promise<Planes> {
  if (input.height <= tile && input.width <= tile) return run(input);
  const strips: Planes[] = [];
  let above: Planes[] = [];
  for (let top = 0; top < input.height; top += step) {
    const row: Planes[] = [];
    const kept: Planes[] = [];
    for (let left = 0; left < input.width; left += step) {
      const current = await run(crop(input, { top, left, height: tile, width: tile }));
      const over = above[row.length];
      if (over !== undefined) blendDown(over, current, blend);
      const before = row.at(-1);
      if (before !== undefined) blendAcross(before, current, blend);
      row.push(current);
      kept.push(crop(current, { top: 0, left: 0, height: keep, width: keep }));
    }
    strips.push(joinAcross(kept));
    above = row;
  }
  return joinDown(strips);
}

/** Over the first rows of `below`, fade from the last ones of `above`. */
function blendDown(above: Planes, below: Planes, extent: number): void {
  const rows = Math.min(above.height, below.height, extent);
  for (let c = 0; c < below.channels; c++) {
    for (let y = 0; y < rows; y++) {
      const from = (c * above.height + above.height - rows + y) * above.width;
      const to = (c * below.height + y) * below.width;
      for (let x = 0; x < below.width; x++) {
        below.data[to + x] =
          above.data[from + x]! * (1 - y / rows) + below.data[to + x]! * (y / rows);
      }
    }
  }
}

/** Over the first columns of `right`, fade from the last ones of `left`. */
function blendAcross(left: Planes, right: Planes, extent: number): void {
  const columns = Math.min(left.width, right.width, extent);
  for (let row = 0; row < right.channels * right.height; row++) {
    const from = row * left.width + left.width - columns;
    const to = row * right.width;
    for (let x = 0; x < columns; x++) {
      right.data[to + x] =
        left.data[from + x]! * (1 - x / columns) + right.data[to + x]! * (x / columns);
    }
  }
}

/** What lies inside: a tile at the edge is smaller. */
function crop(
  planes: Planes,
  { top, left, ...size }: { top: number; left: number; height: number; width: number },
): Planes {
  const height = Math.min(size.height, planes.height - top);
  const width = Math.min(size.width, planes.width - left);
  const data = new Float32Array(planes.channels * height * width);
  for (let c = 0; c < planes.channels; c++) {
    for (let y = 0; y < height; y++) {
      const start = (c * planes.height + top + y) * planes.width + left;
      data.set(planes.data.subarray(start, start + width), (c * height + y) * width);
    }
  }
  return { data, channels: planes.channels, height, width };
}

function joinAcross(parts: readonly Planes[]): Planes {
  const { channels, height } = parts[0]!;
  const width = parts.reduce((sum, part) => sum + part.width, 0);
  const data = new Float32Array(channels * height * width);
  for (let row = 0; row < channels * height; row++) {
    let x = row * width;
    for (const part of parts) {
      data.set(part.data.subarray(row * part.width, (row + 1) * part.width), x);
      x += part.width;
    }
  }
  return { data, channels, height, width };
}

function joinDown(parts: readonly Planes[]): Planes {
  const { channels, width } = parts[0]!;
  const height = parts.reduce((sum, part) => sum + part.height, 0);
  const data = new Float32Array(channels * height * width);
  for (let c = 0; c < channels; c++) {
    let position = c * height * width;
    for (const part of parts) {
      const size = part.height * width;
      data.set(part.data.subarray(c * size, (c + 1) * size), position);
      position += size;
    }
  }
  return { data, channels, height, width };
}
