import { HeaderFault } from './header-fault.ts'
import type { TensorSums } from './model-header.ts'

/** One tensor of a file. */
export interface TensorEntry {
  readonly name: string
  readonly kind: string
  /** Numbers in it. */
  readonly parameters: number
  readonly bytes: number
}

/** Adds tensors up, whatever their number: what it keeps is bounded. */
export const createTensorSums = () => {
  const blockBytes: number[] = []
  const expertBytes: number[] = []
  const outside = new Map<string, number>()
  const kinds = new Map<string, number>()
  let count = 0
  let bytes = 0
  let parameters = 0
  const grow = (to: number): void => {
    while (blockBytes.length < to) {
      blockBytes.push(0)
      expertBytes.push(0)
    }
  }
  const add = (tensor: TensorEntry): void => {
    count += 1
    bytes += tensor.bytes
    parameters += tensor.parameters
    if (kinds.size < MAX_KINDS || kinds.has(tensor.kind)) addTo(kinds, tensor.kind, tensor.bytes)
    const block = blockOf(tensor.name)
    if (block === undefined || block >= MAX_BLOCKS) {
      if (outside.size < MAX_OUTSIDE) addTo(outside, tensor.name.slice(0, 200), tensor.bytes)
      return
    }
    grow(block + 1)
    blockBytes[block]! += tensor.bytes
    if (EXPERT.test(tensor.name)) expertBytes[block]! += tensor.bytes
  }
  return {
    /** Adds the tensors of one file, which cannot be more than the file has. */
    addFile: (path: string, sizeBytes: number, tensors: Iterable<TensorEntry>): void => {
      const before = bytes
      for (const tensor of tensors) {
        // Nothing packs a number into less than a bit.
        if (!(tensor.parameters <= tensor.bytes * 8)) {
          const name = JSON.stringify(tensor.name.slice(0, 80))
          const fact = `tensor ${name} cannot have its numbers in ${tensor.bytes} bytes`
          throw new HeaderFault(path, fact)
        }
        add(tensor)
      }
      if (bytes - before > sizeBytes) {
        const fact = `its tensors come to ${bytes - before} bytes, and it has ${sizeBytes}`
        throw new HeaderFault(path, fact)
      }
    },
    sums: (): TensorSums => ({
      ...{ count, bytes, parameters, blockBytes, expertBytes },
      outside: Object.fromEntries(outside),
      kinds: Object.fromEntries(kinds),
    }),
  }
}

const MAX_BLOCKS = 1024
const MAX_OUTSIDE = 512
const MAX_KINDS = 64

/** `blk.7.` of GGUF; `model.layers.7.`, `transformer.h.7.` and the like of safetensors. */
const BLOCK = /(?:^|\.)(?:blk|layers|h|blocks|block)\.(\d{1,5})\./
/** Towers beside the language model count their own blocks. */
const TOWER = /(?:^|[._])(?:vision|visual|audio|image|multi_modal|encoder|v\.blk|a\.blk)(?:[._]|$)/
const EXPERT = /_exps\b|\.experts\./

const blockOf = (name: string): number | undefined => {
  const found = BLOCK.exec(name)?.[1]
  return found === undefined || TOWER.test(name) ? undefined : Number(found)
}

const addTo = (sums: Map<string, number>, name: string, bytes: number): void =>
  void sums.set(name, (sums.get(name) ?? 0) + bytes)
