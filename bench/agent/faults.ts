import { Console } from 'node:console'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { benchPool, startRig, type AgentRig } from './agent-rig.ts'
import { quantile } from '../gateway/quantile.ts'

const SIM = join(import.meta.dirname, '..', '..', 'dist', 'sim-engine.js')
/** As many at once as leave the machine its breath. */
const POOLS = 4

/** One kind of fault: how it is brought about in a pool that is ready. */
interface Fault {
  readonly name: string
  readonly inject: (rig: AgentRig, poolId: string, pid: number) => Promise<void>
}

const FAULTS: readonly Fault[] = [
  { name: 'crash', inject: async (_rig, _pool, pid) => void process.kill(pid, 'SIGKILL') },
  // Alive, and deaf: only its health checks tell.
  { name: 'deaf to probes', inject: async (_rig, _pool, pid) => void process.kill(pid, 'SIGSTOP') },
]

/** What becomes of engines that fail in one way after another. */
export const measureFaults = async (times: number) => {
  const rows = []
  for (const fault of FAULTS) rows.push(await measureFault(fault, times))
  return [...rows, await measureLoads(times)]
}

const LIFECYCLE = {
  // The breaker is not what is measured here.
  max_restarts_per_minute: 1_000,
  health_check_interval_s: 0.5,
  health_check_timeout_s: 0.5,
  backoff: { initial_ms: 1_000, factor: 1, jitter: 0.1 },
}

const measureFault = async ({ name, inject }: Fault, times: number) => {
  const ids = Array.from({ length: POOLS }, (_, n) => `p${n}`)
  await using rig = await startRig(ids.map((id) => benchPool(id, { lifecycle: LIFECYCLE })))
  return await each(name, times, ids, async (id) => {
    const { pid } = await rig.poolIs(id, ({ ready }) => ready)
    const at = performance.now()
    await inject(rig, id, pid)
    await rig.poolIs(id, ({ ready }) => !ready)
    const unreadyMs = performance.now() - at
    await rig.poolIs(id, (pool) => pool.ready && pool.pid !== pid)
    return { unreadyMs, readyMs: performance.now() - at }
  })
}

/** Every first start of an engine fails as a program does that cannot load its model. */
const measureLoads = async (times: number) => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-bench-loads-'))
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => rm(dir, { recursive: true, force: true }))
  await chmod(dir, 0o777)
  const ids = Array.from({ length: POOLS }, (_, n) => `p${n}`)
  const pools = await Promise.all(
    ids.map(async (id) => {
      const program = join(dir, `${id}.sh`)
      const mark = join(dir, `${id}.fails`)
      const script = `#!/bin/sh\nif rm "${mark}" 2>/dev/null; then exit 1; fi\n`
      await writeFile(program, `${script}exec "${process.execPath}" "${SIM}" "$@"\n`)
      await chmod(program, 0o755)
      return benchPool(id, { lifecycle: { ...LIFECYCLE, binary_path: program } })
    }),
  )
  await using rig = await startRig(pools)
  return await each('load fails once', times, ids, async (id) => {
    const { pid } = await rig.poolIs(id, ({ ready }) => ready)
    await writeFile(join(dir, `${id}.fails`), '')
    const at = performance.now()
    await rig.client.restart({ poolId: id })
    await rig.poolIs(id, ({ ready }) => !ready)
    const unreadyMs = performance.now() - at
    await rig.poolIs(id, (pool) => pool.ready && pool.pid !== pid)
    return { unreadyMs, readyMs: performance.now() - at }
  })
}

interface Recovery {
  readonly unreadyMs: number
  readonly readyMs: number
}

const each = async (
  fault: string,
  times: number,
  ids: readonly string[],
  once: (id: string) => Promise<Recovery>,
) => {
  const recoveries: Recovery[] = []
  let left = times
  const work = async (id: string) => {
    while (left-- > 0) {
      try {
        recoveries.push(await once(id))
      } catch (error) {
        // A pool that does not come back is in the count; why, on the terminal.
        new Console(process.stderr).error(`${fault}, pool ${id}:`, error)
      }
    }
  }
  await Promise.all(ids.map(work))
  const at = (name: keyof Recovery, q: number) =>
    Math.round(
      quantile(
        recoveries.map((recovery) => recovery[name]),
        q,
      ),
    )
  return {
    ...{ fault, injected: times, recovered: recoveries.length },
    ...{ unready_p50_ms: at('unreadyMs', 0.5), unready_p95_ms: at('unreadyMs', 0.95) },
    ...{ ready_p50_ms: at('readyMs', 0.5), ready_p95_ms: at('readyMs', 0.95) },
  }
}
