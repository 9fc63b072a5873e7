import type { TensorSums } from '../raw-header.ts'

/** The sums of a file without tensors. */
export const NO_TENSORS: TensorSums = {
  ...{ count: 0, bytes: 0, parameters: 0 },
  ...{ blockBytes: [], expertBytes: [], outside: {}, kinds: {} },
}
