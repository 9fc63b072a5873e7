/** A GGUF file written value by value, so that it can say what no writer would. */
export const ggufBytes = () => {
  const parts: Buffer[] = []
  const self = {
    raw: (bytes: Uint8Array) => (parts.push(Buffer.from(bytes)), self),
    u32: (value: number) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32LE(value)
      return self.raw(bytes)
    },
    u64: (value: bigint | number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(BigInt(value))
      return self.raw(bytes)
    },
    text: (value: string) => self.u64(Buffer.byteLength(value)).raw(Buffer.from(value)),
    /** The head of a file with so many tensors and keys. */
    head: (tensors: bigint | number, keys: bigint | number) =>
      self.raw(Buffer.from('GGUF')).u32(3).u64(tensors).u64(keys),
    architecture: (name: string) => self.text('general.architecture').u32(8).text(name),
    /** A tensor's entry; `kind` 0 is F32. */
    tensor: (name: string, shape: readonly number[], kind: number, offset: number) => {
      self.text(name).u32(shape.length)
      for (const size of shape) self.u64(size)
      return self.u32(kind).u64(offset)
    },
    bytes: (): Buffer => Buffer.concat(parts),
  }
  return self
}

/** A safetensors file: its header as it is given, and so many bytes of data. */
export const safetensorsBytes = (header: unknown, dataBytes: number): Buffer => {
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)])
}
