import type { ModelDimensions } from '@berth/fleet'
import type { BlockCache } from '@berth/memory'

/**
 * What a fleet has to know of a model's cache, at two bytes a number. Blocks that are alike give
 * their own numbers; where they differ, those of a model that keeps as many bytes and is alike in
 * all its blocks. Undefined for a model that keeps nothing that grows, and for figures that are
 * not whole or need more than the 32 bits that messages have for them: no model has such.
 */
export const dimensionsOf = (caches: readonly BlockCache[]): ModelDimensions | undefined => {
  const dimensions = anyDimensionsOf(caches)
  return dimensions && isTellable(dimensions) ? dimensions : undefined
}

const isTellable = ({ kvDtypeBytes: _, ...counts }: ModelDimensions): boolean =>
  Object.values(counts).every((count) => count === count >>> 0)

const anyDimensionsOf = (caches: readonly BlockCache[]): ModelDimensions | undefined => {
  const attending = caches.filter(({ keyNumbers }) => keyNumbers > 0)
  const [first] = attending
  if (!first) return undefined
  const windowed = attending.filter(({ windowTokens }) => windowTokens > 0)
  const windowTokens = Math.max(0, ...windowed.map((block) => block.windowTokens))
  const isAlike = attending.every(
    (block) =>
      block.keyNumbers === first.keyNumbers &&
      block.valueNumbers === first.valueNumbers &&
      block.kvHeads === first.kvHeads,
  )
  const common = { windowTokens, kvDtypeBytes: 2 }
  if (isAlike) {
    const { kvHeads, keyNumbers, valueNumbers } = first
    const isLatent = kvHeads === 0
    return {
      ...common,
      ...{ layers: attending.length, windowLayers: windowed.length, kvHeads },
      keyDim: isLatent ? 0 : keyNumbers / kvHeads,
      valueDim: isLatent ? 0 : valueNumbers / kvHeads,
      latentDim: isLatent ? keyNumbers : 0,
    }
  }
  const ofWindows = numbersOf(windowed)
  const unit = commonDivisor(numbersOf(attending) - ofWindows, ofWindows)
  return {
    ...common,
    ...{ layers: numbersOf(attending) / unit, windowLayers: ofWindows / unit },
    ...{ kvHeads: 1, keyDim: unit / 2, valueDim: unit / 2, latentDim: 0 },
  }
}

const numbersOf = (blocks: readonly BlockCache[]): number =>
  blocks.reduce((sum, { keyNumbers, valueNumbers }) => sum + keyNumbers + valueNumbers, 0)

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))
