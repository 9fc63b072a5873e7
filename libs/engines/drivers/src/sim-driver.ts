import {
  DEFAULT_KNOBS,
  DIALECTS,
  flagOfKnob,
  knobOfOption,
  knobsFromFlags,
  type Dialect,
  type KnobName,
} from '@berth/sim-text'
import type {
  EngineAccess,
  EngineDriver,
  EngineSpec,
  LaunchGrant,
  ProbeSpec,
} from '@berth/supervision'
import { attach, bearer, checkUrl } from './attach.ts'
import { classifyLog } from './classify-log.ts'
import { readEngineMetrics } from './prometheus-text.ts'
import { readAnswer } from './read-answer.ts'
import { readModels } from './read-models.ts'
import { readSlots } from './read-slots.ts'
import { ADAPTER_CALLS } from './vllm-lora.ts'
import { SLEEP_CALLS } from './vllm-sleep.ts'

const MODELS = '/v1/models'
const PROPS = '/props'
const PROBES: Readonly<Record<Dialect, readonly string[]>> = {
  vllm: ['/health', MODELS],
  llamacpp: ['/health', MODELS, PROPS],
  ollama: ['/api/version', MODELS],
}
const VERSION = { vllm: '/version', llamacpp: PROPS, ollama: '/api/version' } as const
/** Set by the agent, from other keys of the pool. */
const OWNED: readonly KnobName[] = ['host', 'port', 'model', 'slots', 'ctx', 'apiKey']

/** The simulator: a real process that speaks the dialect named by `engine_options.dialect`. */
export const simDriver: EngineDriver = {
  engine: 'sim',
  abilities: {
    routes: ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'],
    hasModelLifecycle: true,
    hasResourceMonitoring: true,
    isAbortedByDisconnect: true,
    seedField: 'seed',
    quantizations: [],
    minComputeCapability: 0,
  },
  check: (spec) => [...(spec.mode === 'managed' ? [] : checkUrl(spec)), ...checkKnobs(spec)],
  plan: (spec, grant) => {
    if (spec.mode !== 'managed') return attach(spec, access(spec, {}))
    return {
      kind: 'process',
      argv: [...programOf(spec, grant), ...placeFlags(spec, grant), ...knobFlags(spec)],
      env: { BERTH_ENGINE_API_KEY: grant.apiKey },
      access: {
        ...access(spec, bearer(grant.apiKey)),
        baseUrl: `http://${grant.host}:${grant.port}`,
      },
      stopGraceMs: spec.shutdownGraceMs,
    }
  },
  readProbe: (probe, response, spec) => {
    if (probe.path === MODELS) return readModels(probe.path, response, spec)
    if (probe.path === PROPS) return readSlots(probe.path, response)
    return readAnswer(probe.path, response, (_answer, graded) => graded)
  },
  readMetrics: readEngineMetrics,
  // As the engine it plays, where its knobs say that it was started for it.
  modelCalls: (spec) => (isVllm(spec) && spec.options.lora === true ? ADAPTER_CALLS : undefined),
  sleepCalls: (spec) => (isVllm(spec) && spec.options.sleep === true ? SLEEP_CALLS : undefined),
  classify: classifyLog,
}

const isVllm = (spec: EngineSpec): boolean => dialectOf(spec) === 'vllm'

const dialectOf = ({ options }: EngineSpec): Dialect =>
  DIALECTS.find((dialect) => dialect === options.dialect) ?? DEFAULT_KNOBS.dialect

const access = (
  spec: EngineSpec,
  headers: EngineAccess['headers'],
): Omit<EngineAccess, 'baseUrl'> => {
  const dialect = dialectOf(spec)
  const readyProbes: ProbeSpec[] = PROBES[dialect].map((path) => ({ path, timeoutMs: 5000 }))
  return {
    headers,
    readyProbes,
    ...(dialect === 'ollama' ? {} : { metricsPath: '/metrics' }),
    ...(dialect === 'vllm' ? { hasLiveCounters: true } : {}),
    ...(dialect === 'llamacpp' ? { mustStream: true } : {}),
    connections: dialect === 'llamacpp' ? 'fresh' : 'keep_alive',
    versionPath: VERSION[dialect],
  }
}

const programOf = ({ binaryPath }: EngineSpec, grant: LaunchGrant): string[] =>
  binaryPath === undefined ? [grant.nodePath, `${grant.enginesDir}/sim-engine.js`] : [binaryPath]

const placeFlags = (spec: EngineSpec, grant: LaunchGrant): string[] => [
  ...['--host', grant.host],
  ...['--port', String(grant.port)],
  ...['--slots', String(spec.slots)],
  ...['--ctx', String(spec.contextLength)],
  ...(spec.modelId === undefined ? [] : ['--model', spec.modelId]),
]

const knobFlags = ({ options }: EngineSpec): string[] =>
  Object.entries(options).flatMap(([option, value]) => {
    const name = knobOfOption(option)
    return name === undefined ? [] : [`${flagOfKnob(name)}=${value}`]
  })

const checkKnobs = ({ options }: EngineSpec): string[] =>
  Object.entries(options).flatMap(([option, value]) => {
    const name = knobOfOption(option)
    const problem =
      name === undefined
        ? 'is not a knob of the simulator'
        : OWNED.includes(name)
          ? 'is set by the agent'
          : problemOf(name, value)
    return problem === undefined ? [] : [`engine_options.${option}: ${problem}`]
  })

const problemOf = (name: KnobName, value: string | number | boolean): string | undefined =>
  knobsFromFlags([`${flagOfKnob(name)}=${value}`]).ok
    ? undefined
    : `${JSON.stringify(value)} does not fit`
