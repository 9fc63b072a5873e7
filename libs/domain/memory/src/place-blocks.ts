/** Where llama.cpp puts the parts of a model: a device's place in the mask, or the host. */
export interface BlockPlaces {
  /** Of each repeating block, in their order. */
  readonly blocks: readonly (number | 'host')[]
  readonly output: number | 'host'
}

/** What decides on it. */
export interface PlaceOptions {
  readonly blocks: number
  /** `--n-gpu-layers`: counted from the last, and the output counts as one more. */
  readonly gpuBlocks: number | 'all'
  /** Share of each GPU, of any sum; none where there is no GPU. */
  readonly split: readonly number[]
}

/**
 * The last `gpuBlocks` blocks go to the GPUs, each GPU gets neighbours, as many as its share says;
 * the output stands behind the last block, and the input stays on the host.
 *
 * Source: llama.cpp v0.5.0, `llama_model_base::load_tensors` in src/llama-model.cpp
 */
export const placeBlocks = ({ blocks, gpuBlocks, split }: PlaceOptions): BlockPlaces => {
  const wanted = gpuBlocks === 'all' ? blocks + 1 : Math.max(0, gpuBlocks)
  const placed = split.length === 0 ? 0 : Math.min(wanted, blocks + 1)
  const first = blocks + 1 - placed
  const ends = endsOf(split)
  const placeOf = (at: number): number | 'host' => {
    if (at < first) return 'host'
    const reached = (at - first) / placed
    const place = ends.findIndex((end) => reached < end)
    return place === -1 ? ends.length - 1 : place
  }
  return {
    blocks: Array.from({ length: blocks }, (_, at) => placeOf(at)),
    output: placeOf(blocks),
  }
}

const endsOf = (split: readonly number[]): number[] => {
  const sum = split.reduce((total, part) => total + part, 0)
  let end = 0
  return split.map((part) => {
    end += sum > 0 ? part / sum : 1 / split.length
    return end
  })
}
