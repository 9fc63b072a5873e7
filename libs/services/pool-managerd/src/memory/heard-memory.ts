import type { FoundDevice } from '@berth/devices'
import type { MemoryUse } from '@berth/memory'
import type { LogSign } from '@berth/supervision'

/** What an engine has said of its memory in its log. */
export interface HeardMemory {
  hear(sign: LogSign): void
  /** Of each device of the pool, in the order of its mask, that the engine spoke of. */
  uses(devices: readonly FoundDevice[]): readonly MemoryUse[]
  /** Its KV cache over all devices; absent where it said nothing of it. */
  readonly kvBytes: number | undefined
  /** Tokens there is room for. */
  readonly kvTokens: number | undefined
}

/** An engine with this many buffers is none. */
const BUFFERS_MAX = 256

/**
 * Adds up buffers as an engine names them. Caches and weights come in parts, a line each; compute
 * buffers are planned several times, and the largest is what is taken.
 */
export const createHeardMemory = (): HeardMemory => {
  const buffers = new Map<
    string,
    { readonly device: string; readonly use: string; bytes: number }
  >()
  let kvTokens: number | undefined
  const sum = (is: (buffer: { readonly device: string; readonly use: string }) => boolean) => {
    let bytes: number | undefined
    for (const buffer of buffers.values()) if (is(buffer)) bytes = (bytes ?? 0) + buffer.bytes
    return bytes
  }
  return {
    hear: (sign) => {
      if (sign.kind === 'kv_room') kvTokens = sign.tokens
      if (sign.kind !== 'memory') return
      const { device, use, bytes } = sign
      const key = `${device} ${use}`
      const before = buffers.get(key)
      if (!before && buffers.size >= BUFFERS_MAX) return
      const isPlanned = use === 'compute' || use === 'total'
      const now = isPlanned ? Math.max(before?.bytes ?? 0, bytes) : (before?.bytes ?? 0) + bytes
      buffers.set(key, { device, use, bytes: now })
    },
    uses: (devices) => {
      const names = new Set([...buffers.values()].map(({ device }) => device))
      const bytes = new Map<string, number>()
      for (const name of names) {
        const deviceId = deviceOf(name, devices)
        if (deviceId === undefined) continue
        const total = sum(({ device, use }) => device === name && use === 'total')
        const parts = sum(({ device, use }) => device === name && use !== 'total') ?? 0
        bytes.set(deviceId, (bytes.get(deviceId) ?? 0) + (total ?? parts))
      }
      return [...bytes].map(([deviceId, each]) => ({ deviceId, bytes: each }))
    },
    get kvBytes() {
      return sum(({ use }) => use === 'kv')
    },
    get kvTokens() {
      return kvTokens
    },
  }
}

/** `CUDA1` is the second GPU that the engine sees: of its pool's mask. */
const deviceOf = (name: string, devices: readonly FoundDevice[]): string | undefined => {
  const gpus = devices.filter(({ kind }) => kind !== 'cpu')
  if (gpus.length === 0) return devices[0]?.deviceId
  if (name === '') return gpus.length === 1 ? gpus[0]?.deviceId : undefined
  const [, index] = /^(?:CUDA|ROCm|HIP|Vulkan|SYCL)(\d{1,3})$/.exec(name) ?? []
  return index === undefined ? undefined : gpus[Number(index)]?.deviceId
}
