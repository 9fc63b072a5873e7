import { DEFAULT_KNOBS, patchKnobs } from '@berth/sim-text'
import { createEngine, type Host } from '../engine.ts'
import { createHttp } from '../http-server.ts'
import { live } from '../life.ts'
import { createRequestLog, LOG_CAPACITY } from '../request-log.ts'
import { vllmDialect } from '../vllm-dialect.ts'
import { findGpus, missGpus } from './find-gpus.ts'
import { missModel } from './find-model.ts'
import { readArgv, type Arguments } from './read-argv.ts'
import type { World } from './world.ts'

const VERSION = '0.13.0'
const CORE = '(EngineCore_DP0 pid=0) ERROR 01-01 00:00:00 [core.py:866] '
const CONSEQUENCE =
  'RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}'
/** What a test wants to know that came from outside. */
const SHOWN = /^(HF_|TRANSFORMERS_|VLLM_|CUDA_|HIP_)/
const SECRET = /TOKEN|KEY$/

/** What a process of vLLM is given. */
export interface Surroundings {
  readonly host: Host
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly world: World
}

/** A vLLM as recorded ones are: it takes its command line, or ends as they do. */
export const runVllm = async ({ host, argv, env, world }: Surroundings): Promise<void> => {
  const { version = VERSION } = world
  const end = (code: number, lines: readonly string[]): never => {
    for (const line of lines) host.err(line)
    return host.exit(code)
  }
  if (world.lacksVllm === true && argv[0]?.startsWith('-'))
    return end(1, ["ModuleNotFoundError: No module named 'vllm'"])
  const read = readArgv(argv, version)
  if (read.kind === 'version') {
    host.err('INFO 01-01 00:00:00 [__init__.py:216] Automatically detected platform cuda.')
    host.out(version)
    return host.exit(0)
  }
  const gpus = findGpus(env)
  if (gpus.length === 0) return end(1, WITHOUT_GPU)
  if (read.kind === 'error') return end(2, read.lines)
  const { arguments: given } = read
  const missing = missModel(given, world, env)
  if (missing) return end(1, missing)
  const full = missGpus(gpus, { world: worldOf(given), share: shareOf(given) })
  if (full) return end(1, [...full.map((line) => CORE + line), CONSEQUENCE])
  const tooLong = missLength(given, world)
  if (tooLong) return end(1, tooLong)
  await serve({
    host: { ...host, version, told: toldOf(given, env, gpus.length) },
    given,
    world,
    env,
  })
}

const WITHOUT_GPU = [
  'INFO 01-01 00:00:00 [__init__.py:1] No platform detected, vLLM is running on UnspecifiedPlatform',
  'RuntimeError: Failed to infer device type, please set the environment variable ' +
    '`VLLM_LOGGING_LEVEL=DEBUG` to turn on verbose logging to help debug the issue.',
]

const numberOf = ({ values }: Arguments, flag: string, byDefault: number): number =>
  Number(values.get(flag) ?? byDefault)

const worldOf = (given: Arguments): number =>
  numberOf(given, '--tensor-parallel-size', 1) * numberOf(given, '--pipeline-parallel-size', 1)

const shareOf = (given: Arguments): number => numberOf(given, '--gpu-memory-utilization', 0.9)

const missLength = (given: Arguments, { hub }: World): readonly string[] | undefined => {
  const most = hub?.[given.model]?.maxLength ?? Infinity
  const asked = numberOf(given, '--max-model-len', 0)
  return asked <= most
    ? undefined
    : [
        `ValueError: User-specified max_model_len (${asked}) is greater than the derived ` +
          `max_model_len (max_position_embeddings=${most} or model_max_length=None in model's ` +
          'config.json).',
      ]
}

const toldOf = (given: Arguments, env: Surroundings['env'], visibleGpus: number) => ({
  model: given.model,
  flags: Object.fromEntries(given.values),
  visible_gpus: visibleGpus,
  env: Object.fromEntries(
    Object.entries(env).flatMap(([name, value = '']) =>
      SHOWN.test(name) ? [[name, SECRET.test(name) ? '<set>' : value]] : [],
    ),
  ),
})

const serve = async ({
  host,
  given,
  world,
  env,
}: Omit<Surroundings, 'argv'> & { readonly given: Arguments }): Promise<void> => {
  const patched = patchKnobs(DEFAULT_KNOBS, world.knobs ?? {}, () => true)
  if (!patched.ok) {
    for (const problem of patched.problems) host.err(`vllm: error: ${problem}`)
    return host.exit(2)
  }
  const isRemote = env['VLLM_ALLOW_RUNTIME_LORA_UPDATING'] === 'True'
  const knobs = {
    ...patched.knobs,
    ...{ dialect: 'vllm' as const, model: given.values.get('--served-model-name') ?? given.model },
    host: given.values.get('--host') ?? '0.0.0.0',
    port: numberOf(given, '--port', 8_000),
    ctx: numberOf(given, '--max-model-len', DEFAULT_KNOBS.ctx),
    slots: numberOf(given, '--max-num-seqs', 256),
    shutdownTimeoutS: numberOf(given, '--shutdown-timeout', 0),
    apiKey: env['VLLM_API_KEY'] ?? given.values.get('--api-key') ?? '',
    hasLora: given.has('--enable-lora') && isRemote,
    hasSleep: given.has('--enable-sleep-mode') && env['VLLM_SERVER_DEV_MODE'] === '1',
  }
  const engine = createEngine(host, knobs, createRequestLog(LOG_CAPACITY))
  const plain = vllmDialect(engine)
  const { lastWords } = world
  const dialect = lastWords ? { ...plain, lines: { ...plain.lines, oom: () => lastWords } } : plain
  if (lastWords) engine.knobs = { ...engine.knobs, isOom: true }
  await live(engine, dialect, createHttp(engine, dialect))
}
