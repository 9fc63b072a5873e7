import { z } from 'zod'

const name = z.string().regex(/^[a-z0-9-]{1,63}$/, 'expected 1 to 63 of a-z, 0-9 and "-"')
const seconds = (byDefault: number) => z.number().positive().max(86_400).default(byDefault)
const count = (byDefault: number) => z.number().int().min(0).max(1_000).default(byDefault)

const backoff = z
  .strictObject({
    initial_ms: z.number().int().positive().default(1_000),
    factor: z.number().min(1).max(10).default(2),
    max_ms: z.number().int().positive().default(60_000),
    jitter: z.number().min(0).max(1).default(0.1),
    /** Ready for so long forgets it. */
    reset_after_s: seconds(300),
  })
  .prefault({})

const breaker = z
  .strictObject({
    /** Until one trial; doubled each time it fails, up to `max_open_s`. */
    open_s: seconds(300),
    max_open_s: seconds(3_600),
    /** Ready for so long after the trial closes it. */
    stable_s: seconds(60),
  })
  .prefault({})

const lifecycle = z
  .strictObject({
    start_timeout_s: seconds(30),
    model_load_timeout_s: seconds(600),
    model_load_max_retries: count(2),
    health_check_interval_s: seconds(5),
    /** Without requests. Absent: 12 times the interval, 60 at most, and never less often. */
    idle_health_check_interval_s: z.number().positive().max(86_400).optional(),
    health_check_timeout_s: seconds(5),
    max_consecutive_failures: z.number().int().min(1).max(100).default(3),
    max_restarts_per_minute: count(3),
    shutdown_grace_s: seconds(10),
    /** A busy engine that does nothing for so long hangs, and is restarted. */
    stall_timeout_s: seconds(60),
    /** False: the engine runs on when the agent ends, and its next life takes it over. */
    stop_on_exit: z.boolean().default(false),
    binary_path: z.string().min(1).optional(),
    /** 0: a free one from the system. */
    port: z.number().int().min(0).max(65_535).default(0),
    backoff,
    breaker,
  })
  .prefault({})

/** One entry of `pools` in the pools file. */
export const poolSchema = z.strictObject({
  id: name,
  engine: z.enum(['vllm', 'llamacpp', 'ollama', 'openai', 'embedded', 'sim']),
  mode: z.enum(['managed', 'monitored', 'external']).optional(),
  devices: z.array(z.union([z.number().int().min(0), z.string().min(1)])).default(['cpu']),
  /** What the pool may take of each GPU of its mask; pools that share one may promise no more. */
  vram_budget_bytes: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
  /** `hf:`, `file:`, `https:`, `oci:`, `ollama:`, or a plain path or name. */
  model: z.string().min(1).max(4_096).optional(),
  /** Of the model's file: another content never serves. */
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'expected "sha256:" and 64 of 0-9 and a-f')
    .optional(),
  /** Nothing is fetched for it: its model is here and whole, or it does not start. */
  airgapped: z.boolean().default(false),
  /** What clients send as `model`, when not the name in `model`. */
  model_id: z.string().min(1).max(256).optional(),
  slots: z.number().int().min(1).max(4_096).optional(),
  /** Tokens of one slot. */
  context_length: z.number().int().min(64).max(16_777_216).default(4_096),
  engine_options: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  /** Where a server that we never start answers. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** Variable of the agent's environment that holds that server's API key. */
  api_key_env: z.string().min(1).optional(),
  /** The service unit of a monitored engine, for the error that asks to start it. */
  unit: z.string().min(1).optional(),
  runtime: z.enum(['process', 'container', 'podman', 'docker']).default('process'),
  /** Of a container, by digest: `name@sha256:...`. */
  image: z
    .string()
    .min(1)
    .max(512)
    .regex(/^[^-\s]\S*$/, 'expected the name of an image')
    .optional(),
  /** `on_demand`: started when a request asks for its model, not with the agent. */
  load: z.enum(['manual', 'on_demand']).default('manual'),
  ttl_s: z
    .never({
      error:
        'idle pools are not unloaded by this version. Remove the key, or stop the pool by command',
    })
    .optional(),
  determinism: z.enum(['best_effort', 'strict']).default('best_effort'),
  sampler_profile_version: z.string().max(64).default(''),
  health: z
    .strictObject({
      mode: z.enum(['fail_fast', 'fail_open']).default('fail_fast'),
      /** `grpc`: the standard health check instead of the engine's own routes. */
      probe: z.enum(['http', 'grpc']).default('http'),
      /** Of `grpc`: the service to ask for; empty is the whole server. */
      grpc_service: z.string().max(256).default(''),
      /** Of `grpc`: when it is not the port of the engine. */
      grpc_port: z.number().int().min(1).max(65_535).optional(),
    })
    .prefault({}),
  lifecycle,
})

export type PoolDocument = z.infer<typeof poolSchema>

/** The file without the pools, which are read one by one so that each lists its own problems. */
export const fileSchema = z.strictObject({
  host: name,
  model_root: z.string().min(1).optional(),
  pools: z.array(z.unknown()).max(256).default([]),
})
