/** A GGUF file as bytes at offsets, in order. What no piece covers is zeros. */
export interface GgufImage {
  readonly sizeBytes: number
  readonly pieces: readonly { readonly offset: number; readonly bytes: Uint8Array }[]
}

/** A metadata value with the type it has in the file. */
export type GgufValue =
  | { readonly kind: 'u32' | 'i32' | 'f32'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'f32s' | 'i32s'; readonly value: readonly number[] }

/** A tensor: `shape[0]` is the contiguous dimension. Without `data` it is a hole, so all zeros. */
export interface GgufTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly kind: 'f32' | 'f16'
  readonly data?: Uint8Array
}

/**
 * Lays out a GGUF v3 file.
 *
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export const ggufImage = (
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): GgufImage => {
  const entries = Object.entries(metadata)
  const header = createWriter()
  header.raw(new TextEncoder().encode('GGUF'))
  header.u32(VERSION)
  header.u64(tensors.length)
  header.u64(entries.length)
  for (const [key, value] of entries) {
    header.string(key)
    writeValue(header, value)
  }
  let dataOffset = 0
  const offsets = tensors.map((tensor) => {
    const offset = dataOffset
    dataOffset = align(dataOffset + tensorBytes(tensor))
    return offset
  })
  tensors.forEach((tensor, index) => {
    header.string(tensor.name)
    header.u32(tensor.shape.length)
    for (const size of tensor.shape) header.u64(size)
    header.u32(tensor.kind === 'f32' ? 0 : 1)
    header.u64(offsets[index]!)
  })
  const head = header.bytes()
  const dataStart = align(head.length)
  const data = tensors.flatMap((tensor, index) =>
    tensor.data ? [{ offset: dataStart + offsets[index]!, bytes: tensor.data }] : [],
  )
  return { sizeBytes: dataStart + dataOffset, pieces: [{ offset: 0, bytes: head }, ...data] }
}

const VERSION = 3
const ALIGNMENT = 32

const align = (offset: number): number => Math.ceil(offset / ALIGNMENT) * ALIGNMENT

const tensorBytes = ({ shape, kind }: GgufTensor): number =>
  shape.reduce((product, size) => product * size, 1) * (kind === 'f32' ? 4 : 2)

const TYPE = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const

const writeValue = (writer: Writer, entry: GgufValue): void => {
  switch (entry.kind) {
    case 'u32':
    case 'i32':
    case 'f32':
      writer.u32(TYPE[entry.kind])
      return writer[entry.kind](entry.value)
    case 'bool':
      writer.u32(TYPE.bool)
      return writer.raw(Uint8Array.of(entry.value ? 1 : 0))
    case 'string':
      writer.u32(TYPE.string)
      return writer.string(entry.value)
    case 'strings':
      writeArrayHead(writer, TYPE.string, entry.value.length)
      return entry.value.forEach((item) => writer.string(item))
    case 'f32s':
      writeArrayHead(writer, TYPE.f32, entry.value.length)
      return entry.value.forEach((item) => writer.f32(item))
    case 'i32s':
      writeArrayHead(writer, TYPE.i32, entry.value.length)
      return entry.value.forEach((item) => writer.i32(item))
  }
}

const writeArrayHead = (writer: Writer, itemType: number, length: number): void => {
  writer.u32(TYPE.array)
  writer.u32(itemType)
  writer.u64(length)
}

type Writer = ReturnType<typeof createWriter>

/** Appends little-endian values. */
const createWriter = () => {
  const parts: Uint8Array[] = []
  const number = (size: number, set: (view: DataView) => void): void => {
    const bytes = new Uint8Array(size)
    set(new DataView(bytes.buffer))
    parts.push(bytes)
  }
  const u64 = (value: number) => number(8, (view) => view.setBigUint64(0, BigInt(value), true))
  return {
    raw: (bytes: Uint8Array): void => void parts.push(bytes),
    u32: (value: number) => number(4, (view) => view.setUint32(0, value, true)),
    i32: (value: number) => number(4, (view) => view.setInt32(0, value, true)),
    f32: (value: number) => number(4, (view) => view.setFloat32(0, value, true)),
    u64,
    string: (text: string): void => {
      const bytes = new TextEncoder().encode(text)
      u64(bytes.length)
      parts.push(bytes)
    },
    bytes: (): Uint8Array => {
      const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
      let offset = 0
      for (const part of parts) {
        all.set(part, offset)
        offset += part.length
      }
      return all
    },
  }
}
