import type { CrashReport, EngineExit } from '@berth/supervision'
import type { LaunchEnv, LaunchRequest } from './launch-instance.ts'
import { machineOf } from './machine.ts'

const GIB = 1_073_741_824

/** Why an instance ended: what its driver reads in its last words, with what the host knows. */
export const tellExit = (
  { driver, spec }: LaunchRequest,
  ended: {
    readonly exit: EngineExit
    readonly lastWords: readonly string[]
    readonly pid: number
    readonly port: number
  },
  env: LaunchEnv,
): CrashReport => {
  const report = driver.classify(ended.lastWords, ended.exit)
  switch (report.kind) {
    case 'port_in_use':
      return adding(report, heldBy(ended.port, env))
    case 'out_of_vram':
      return adding(report, freeNow(spec.devices, env))
    case 'signal':
      return ended.exit.signal === 'SIGKILL' ? byKernel(report, ended.pid, env) : report
    default:
      return report
  }
}

/** A configured port that somebody else listens on. */
export const portTaken = (port: number, env: LaunchEnv): CrashReport => ({
  kind: 'port_in_use',
  message:
    `${heldBy(port, env) ?? `Port ${port} is taken.`} ` +
    'End it, or leave lifecycle.port at 0 for a free one.',
  isRetriable: true,
})

const heldBy = (port: number, env: LaunchEnv): string | undefined => {
  const holder = machineOf(env).holderOf(port)
  return holder && `Port ${port} is held by ${holder}.`
}

/** What the next start is planned with. */
const freeNow = (mask: readonly string[], { devices }: LaunchEnv): string | undefined => {
  const facts = (devices?.resolve(mask).devices ?? []).flatMap((device) => {
    const { memoryFreeBytes: free, memoryTotalBytes: total, kind, deviceId } = device
    if (kind === 'cpu' || free === undefined || total === undefined) return []
    return [`GPU ${deviceId} ${gib(free)} of ${gib(total)} GiB`]
  })
  return facts.length === 0
    ? undefined
    : `Free by the last look: ${facts.join(', ')}; the next start takes what is free then.`
}

const gib = (bytes: number) => (bytes / GIB).toFixed(1)

const byKernel = (report: CrashReport, pid: number, env: LaunchEnv): CrashReport => {
  const record = machineOf(env).oomRecordOf(pid)
  return record === undefined
    ? report
    : {
        kind: 'out_of_memory',
        message:
          `The kernel killed it, as the host ran out of main memory: "${record.slice(0, 300)}". ` +
          'Free main memory, or lower context_length, slots or the size of the model.',
        isRetriable: true,
      }
}

const adding = (report: CrashReport, fact: string | undefined): CrashReport =>
  fact === undefined ? report : { ...report, message: `${report.message} ${fact}` }
