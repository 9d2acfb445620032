/**
 * Number formats of `.safetensors` files: their size, their number in ONNX's TensorProto.DataType
 * (0: ONNX has none), and their conversion to and from single precision.
 * Source: safetensors/src/tensor.rs and onnx.proto3.
 */
export const dtypes = {
  BOOL: { bits: 8, onnx: 9 },
  F4: { bits: 4, onnx: 0 },
  F6_E2M3: { bits: 6, onnx: 0 },
  F6_E3M2: { bits: 6, onnx: 0 },
  U8: { bits: 8, onnx: 2 },
  I8: { bits: 8, onnx: 3 },
  F8_E5M2: { bits: 8, onnx: 19 },
  F8_E4M3: { bits: 8, onnx: 17 },
  F8_E8M0: { bits: 8, onnx: 0 },
  F8_E4M3FNUZ: { bits: 8, onnx: 18 },
  F8_E5M2FNUZ: { bits: 8, onnx: 20 },
  I16: { bits: 16, onnx: 5 },
  U16: { bits: 16, onnx: 4 },
  F16: { bits: 16, onnx: 10 },
  BF16: { bits: 16, onnx: 16 },
  I32: { bits: 32, onnx: 6 },
  U32: { bits: 32, onnx: 12 },
  F32: { bits: 32, onnx: 1 },
  C64: { bits: 64, onnx: 14 },
  F64: { bits: 64, onnx: 11 },
  I64: { bits: 64, onnx: 7 },
  U64: { bits: 64, onnx: 13 },
} as const satisfies Record<string, { bits: number; onnx: number }>;

export type Dtype = keyof typeof dtypes;

/** Formats that a network's weights may have. */
export const floatDtypes = ['F32', 'F16', 'BF16', 'F64'] as const satisfies readonly Dtype[];
export type FloatDtype = (typeof floatDtypes)[number];

export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(dtypes, name);
}

export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return (floatDtypes as readonly Dtype[]).includes(dtype);
}

/** Little-endian bytes, at any alignment, to single precision. */
export function decodeFloats(bytes: Uint8Array, dtype: FloatDtype): Float32Array {
  const count = (bytes.byteLength * 8) / dtypes[dtype].bits;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const floats = new Float32Array(count);
  switch (dtype) {
    case 'F32':
      new Uint8Array(floats.buffer).set(bytes);
      return floats;
    case 'F64':
      for (let i = 0; i < count; i++) floats[i] = view.getFloat64(8 * i, true);
      return floats;
    case 'BF16': {
      // bfloat16 is the upper half of a single.
      const words = new Uint32Array(floats.buffer);
      for (let i = 0; i < count; i++) words[i] = view.getUint16(2 * i, true) << 16;
      return floats;
    }
    case 'F16':
      for (let i = 0; i < count; i++) floats[i] = halfToFloat(view.getUint16(2 * i, true));
      return floats;
  }
}

/** Single precision to little-endian bytes, rounding half to even. */
export function encodeFloats(floats: Float32Array, dtype: FloatDtype): Uint8Array {
  const bytes = new Uint8Array((floats.length * dtypes[dtype].bits) / 8);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < floats.length; i++) {
    const value = floats[i]!;
    switch (dtype) {
      case 'F32':
        view.setFloat32(4 * i, value, true);
        break;
      case 'F64':
        view.setFloat64(8 * i, value, true);
        break;
      case 'BF16':
        view.setUint16(2 * i, floatToBfloat(value), true);
        break;
      case 'F16':
        view.setUint16(2 * i, floatToHalf(value), true);
        break;
    }
  }
  return bytes;
}

function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

function floatToBfloat(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  scratch.setFloat32(0, value);
  const word = scratch.getUint32(0);
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

function floatToHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  // The spacing of halves around this value; 2^-24 below the smallest normal one, 2^-14.
  const exponent = Math.max(Math.floor(Math.log2(size || 1e-30)), -14);
  const steps = size / 2 ** (exponent - 10);
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // A subnormal has fewer than 1024 steps; 2048 of them carry into the exponent by themselves.
  return sign | (exponent === -14 ? rounded : ((exponent + 14) << 10) + rounded);
}
