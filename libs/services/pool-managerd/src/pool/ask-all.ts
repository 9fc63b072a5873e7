import { messageOf } from '@berth/kernel'
import type {
  EngineAccess,
  EngineDriver,
  EngineSpec,
  ProbeResponse,
  ProbeResult,
  ProbeSpec,
} from '@berth/supervision'
import { readGrpcHealth } from '../engine/probing.ts'

/** One round of an engine's ready probes. */
export interface Check {
  /** The worst verdict of the round: all probes have to agree. */
  readonly result: ProbeResult
  /** Something answered, whatever it said. */
  readonly isListening: boolean
  readonly tookMs: number
  /** Unix milliseconds. */
  readonly atMs: number
}

const WORST_FIRST = ['unhealthy', 'unknown', 'loading', 'degraded', 'healthy'] as const

/** Asks every ready probe at once and joins what they say. */
export const askAll = async (
  ask: (access: EngineAccess, probe: ProbeSpec) => Promise<ProbeResponse>,
  driver: EngineDriver,
  access: EngineAccess,
  spec: EngineSpec,
): Promise<Omit<Check, 'atMs'>> => {
  const read = (probe: ProbeSpec, response: ProbeResponse) =>
    probe.protocol === 'grpc'
      ? readGrpcHealth(probe.path, response)
      : driver.readProbe(probe, response, spec)
  const asked = await Promise.all(
    access.readyProbes.map(async (probe) => {
      const response = await ask(access, probe).catch(refused)
      return { response, result: judge(probe.path, () => read(probe, response)) }
    }),
  )
  return {
    result: join(asked.map(({ result }) => result)),
    isListening: asked.some(({ response }) => response.kind === 'answer'),
    tookMs: Math.round(Math.max(0, ...asked.map(({ response }) => tookMs(response)))),
  }
}

const refused = (error: unknown): ProbeResponse => ({
  kind: 'refused',
  error: messageOf(error),
})

/** Whatever an engine answers, the agent lives on. */
const judge = (path: string, read: () => ProbeResult): ProbeResult => {
  try {
    return read()
  } catch (error) {
    return { verdict: 'unhealthy', fact: `${path}: ${messageOf(error)}` }
  }
}

const join = (results: readonly ProbeResult[]): ProbeResult => {
  const worst =
    WORST_FIRST.map((verdict) => results.find((result) => result.verdict === verdict)).find(
      (result) => result !== undefined,
    ) ?? ({ verdict: 'healthy' } as const)
  if (worst.verdict !== 'healthy' && worst.verdict !== 'degraded') return worst
  return mergeFacts(results, worst.verdict)
}

/** What any of the probes told of models and slots. */
const mergeFacts = (
  results: readonly ProbeResult[],
  verdict: 'healthy' | 'degraded',
): ProbeResult => Object.assign({}, ...results, { verdict }) as ProbeResult

const tookMs = (response: ProbeResponse): number =>
  response.kind === 'answer' ? response.tookMs : 0
