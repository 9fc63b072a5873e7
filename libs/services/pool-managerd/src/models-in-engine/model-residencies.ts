import type { MessageInitShape } from '@bufbuild/protobuf'
import { Residency, type ModelResidencySchema } from '@berth/contract'
import type { PoolStateKind } from '@berth/supervision'
import type { KeptModel } from './kept-model.ts'
import type { ModelKeeper } from './model-keeper.ts'

/** Models of one pool in a snapshot: what is wanted or in memory goes before what is only on disk. */
const SHOWN_MAX = 256

/** The models of an engine that holds several, as snapshots show them. */
export const modelResidencies = (
  keeper: ModelKeeper,
  state: PoolStateKind,
): MessageInitShape<typeof ModelResidencySchema>[] => {
  const { loading, models } = keeper
  const shown = [...models].filter(([, model]) => isHeld(model))
  const files = [...models].filter(([, model]) => !isHeld(model))
  return [...shown, ...files].slice(0, SHOWN_MAX).map(([name, model]) => {
    const phase = loading?.name === name ? loading.progress.phase : undefined
    return messageOf(model, residencyOf(model, state, phase), keeper)
  })
}

const isHeld = ({ wanted, resident, leaving }: KeptModel): boolean =>
  wanted !== undefined || resident !== undefined || leaving !== undefined

const residencyOf = (model: KeptModel, state: PoolStateKind, phase: string | undefined) => {
  if (phase !== undefined) return phase === 'download' ? Residency.DOWNLOADING : Residency.LOADING
  if (model.leaving) return model.leaving === 'draining' ? Residency.DRAINING : Residency.UNLOADING
  if (model.resident) return RESIDENT_IN[state] ?? Residency.UNLOADING
  // An engine that comes up loads what is wanted next.
  if (model.wanted && (state === 'preparing' || state === 'starting')) return Residency.LOADING
  if (model.trouble && model.trouble.retryAt === undefined) return Residency.FAILED
  return model.onDisk ? Residency.ON_DISK : Residency.ABSENT
}

/** Memory goes with the engine. */
const RESIDENT_IN: Readonly<Partial<Record<PoolStateKind, Residency>>> = {
  ready: Residency.RESIDENT,
  draining: Residency.DRAINING,
  // The engine is up, and not well.
  starting: Residency.LOADING,
}

const messageOf = (model: KeptModel, residency: Residency, keeper: ModelKeeper) => {
  const { modelId, wanted, resident, onDisk } = model
  const { memoryBytes, gpuBytes, expiresAtMs = 0, parentModelId = '' } = resident ?? {}
  return {
    ...{ modelId, residency, parentModelId },
    modelRef: wanted?.modelRef ?? '',
    activeRequests: keeper.activeOf(modelId),
    digest: resident?.digest ?? onDisk?.digest ?? '',
    quantization: resident?.quantization ?? onDisk?.quantization ?? '',
    ...(memoryBytes === undefined ? {} : { memoryBytes: BigInt(memoryBytes) }),
    ...(gpuBytes === undefined ? {} : { gpuBytes: BigInt(gpuBytes) }),
    expiresAtMs: BigInt(Math.round(expiresAtMs)),
  }
}
