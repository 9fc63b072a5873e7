import type { GgufValues } from './gguf-values.ts'

/**
 * Tokens each block looks back, 0 for all of them. Headers seldom list it: most name a window and
 * leave the pattern to the engine, which knows it by the architecture.
 *
 * Source: llama.cpp v0.5.0, `load_arch_hparams` of each file in src/models, and
 * `llama_hparams::set_swa_pattern`
 */
export const ggufWindows = (
  architecture: string,
  values: GgufValues,
  blocks: number,
): readonly number[] => {
  const none = Array.from({ length: blocks }, () => 0)
  const rule = WINDOWS[architecture]
  if (!rule || (rule.blocks !== undefined && rule.blocks !== blocks)) return none
  const named = values.number('attention.sliding_window')
  const window = rule.isFixed && named !== 0 ? rule.window : (named ?? rule.window)
  if (!window) return none
  const listed = isList(values, blocks)
  if (listed) return listed.map((isWindowed) => (isWindowed ? window : 0))
  const every = values.number('attention.sliding_window_pattern') ?? rule.every
  if (every === undefined) return none
  return none.map((_, at) => (isWindowed(at, every, rule.isFullFirst) ? window : 0))
}

interface WindowRule {
  /** Every so many blocks one looks back over everything; absent: the header lists them. */
  readonly every?: number
  /** It is the first of them, not the last. */
  readonly isFullFirst?: boolean
  /** Where the header names none. */
  readonly window?: number
  /** Whatever the header names. */
  readonly isFixed?: boolean
  /** Only the model with so many blocks. */
  readonly blocks?: number
}

/** Others with a window in their header (`phi3`, `llama`) are run without one. */
const WINDOWS: Readonly<Record<string, WindowRule>> = {
  afmoe: { every: 4 },
  cohere2: { every: 4 },
  cohere2moe: { every: 4, isFullFirst: true },
  exaone4: { every: 4, window: 4096, blocks: 64 },
  'exaone-moe': { every: 4, window: 128 },
  gemma2: { every: 2, window: 4096 },
  gemma3: { every: 6 },
  gemma3n: { every: 5 },
  gemma4: {},
  'gpt-oss': { every: 2 },
  lfm2: { every: 0 },
  lfm2moe: { every: 0 },
  granite_swa: {},
  laguna: { every: 4, isFullFirst: true },
  llama4: { every: 4, window: 8192, isFixed: true },
  mellum: { every: 4 },
  mimo2: {},
  'muse-glimmer': { every: 4 },
  olmo2: { every: 4 },
  plamo3: { every: 8 },
  smallthinker: { every: 4, isFullFirst: true, window: 4096, isFixed: true },
  step35: {},
}

const isList = (values: GgufValues, blocks: number): readonly boolean[] | undefined => {
  const key = 'attention.sliding_window_pattern'
  if (values.number(key) !== undefined) return undefined
  return values.perBlock(key, blocks)?.map((each) => each !== 0)
}

const isWindowed = (at: number, every: number, isFullFirst = false): boolean => {
  if (every === 0) return true
  return isFullFirst ? at % every !== 0 : at % every < every - 1
}
