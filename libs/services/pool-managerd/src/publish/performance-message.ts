import type { MessageInitShape } from '@bufbuild/protobuf'
import type { PerformanceHintSchema } from '@berth/contract'
import type { Performance } from '../pool/performance.ts'

/** Cells of one pool in a snapshot: 64 pools with as many take a few percent of what a bus carries. */
const CELLS_PUBLISHED = 24

/** What was measured of a pool as its snapshot shows it: of its cells those that know the most. */
export const performanceMessage = (
  performance: Performance | undefined,
  modelId = '',
): MessageInitShape<typeof PerformanceHintSchema> | undefined =>
  performance && {
    ...performance,
    cells: [...performance.cells]
      .sort((a, b) => b.samples - a.samples)
      .slice(0, CELLS_PUBLISHED)
      .map((cell) => ({ ...cell, modelId })),
  }
