import { createServer } from 'node:net'
import { mkdtempSync, rmSync, truncateSync, copyFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, jest } from '@jest/globals'
import { tinyGguf, writeGgufImage } from '@berth/model-files'
import type { CrashReport, EngineSpec, LaunchGrant, LogSign } from '@berth/supervision'
import { findLlamaServer, freePort, TINY_MODEL, until } from '@berth/test-support'
import { startBareEngine, type BareEngine } from './src/bare-engine.ts'

/** Engines start in every test of these, on a machine that may be busy. */
jest.setTimeout(30_000)

const llamaServer = findLlamaServer()
const dir = mkdtempSync(join(tmpdir(), 'berth-llama-'))
afterAll(() => rmSync(dir, { recursive: true }))

const GIB = 1_073_741_824
const specOf = (program: string, more: Partial<EngineSpec> = {}): EngineSpec => ({
  ...{ engine: 'llamacpp', mode: 'managed', modelId: 'm1', slots: 2, contextLength: 4_096 },
  ...{ options: {}, shutdownGraceMs: 5_000, binaryPath: program, ...more },
})
const signsOf = ({ driver, log }: BareEngine): readonly LogSign[] =>
  log().flatMap((line) => driver.readLog?.(line) ?? [])

interface FailedStart {
  readonly what: string
  readonly kind: CrashReport['kind']
  readonly isRetriable: boolean
  readonly spec?: Partial<EngineSpec>
  readonly grant?: () => Promise<Partial<LaunchGrant>> | Partial<LaunchGrant>
  readonly argv?: readonly string[]
}

const fileOf = (name: string, write: (path: string) => void): Partial<LaunchGrant> => {
  const modelPath = join(dir, name)
  write(modelPath)
  return { modelPath }
}

const taken = createServer()
afterAll(() => new Promise((resolve) => taken.close(resolve)))

const FAILED: readonly FailedStart[] = [
  {
    ...{ what: 'a model that is not there', kind: 'model_not_found', isRetriable: false },
    grant: () => ({ modelPath: join(dir, 'none.gguf') }),
  },
  {
    ...{ what: 'a file that is no model', kind: 'model_invalid', isRetriable: false },
    grant: () => fileOf('garbage.gguf', (path) => writeFileSync(path, 'no model at all')),
  },
  {
    ...{ what: 'a model cut short', kind: 'model_invalid', isRetriable: false },
    grant: () =>
      fileOf('short.gguf', (path) => {
        copyFileSync(TINY_MODEL, path)
        truncateSync(path, 200_000)
      }),
  },
  {
    ...{ what: 'a flag it does not know', kind: 'bad_option', isRetriable: false },
    argv: ['--no-such-flag'],
  },
  {
    ...{ what: 'a cache type that heads do not fill', kind: 'bad_option', isRetriable: false },
    spec: { options: { cache_type_k: 'q8_0' } },
  },
  {
    ...{ what: 'a GPU that its build cannot use', kind: 'device_error', isRetriable: false },
    grant: () => ({
      devices: ['0'],
      gpus: [{ deviceId: '0', uuid: 'GPU-0', kind: 'nvidia', computeCapability: '8.9' }],
    }),
  },
  {
    ...{ what: 'a port somebody has', kind: 'port_in_use', isRetriable: true },
    grant: async () => {
      const port = await freePort()
      await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve))
      return { port }
    },
  },
  {
    ...{ what: 'more cache than it can have', kind: 'out_of_memory', isRetriable: true },
    // 2 layers × 2 heads × 32 numbers × 2 bytes × 4 Mi tokens × 2 slots = 2 GiB.
    spec: { contextLength: 4_194_304, binaryPath: join(dir, 'limited') },
  },
]

if (llamaServer === undefined) {
  describe.skip(`the real llama-server (skipped: there is none, see tools/llama-server)`, () => {
    it('says what its driver reads', () => undefined)
  })
} else {
  // Half a GiB of addresses.
  const limited = `#!/bin/sh\nulimit -v 524288\nexec ${llamaServer} "$@"\n`
  writeFileSync(join(dir, 'limited'), limited, { mode: 0o755 })

  describe('a start of the real llama-server', () => {
    it.each(FAILED)('fails over $what, and its end is read as $kind', async (failed) => {
      const { kind, isRetriable, grant, spec, argv } = failed
      const more = { ...(grant ? { grant: await grant() } : {}), ...(argv ? { argv } : {}) }
      await using engine = await startBareEngine(specOf(llamaServer, spec), more)
      const exit = await engine.exited
      expect(exit.code).toBe(1)
      expect(engine.driver.classify(engine.log(), exit)).toMatchObject({ kind, isRetriable })
    })

    it('tells its phases in their order, what it holds, and the room it has', async () => {
      await using engine = await startBareEngine(specOf(llamaServer))
      await engine.untilReady()
      const signs = signsOf(engine)
      const phases = signs.flatMap((sign) => (sign.kind === 'phase' ? [sign.phase] : []))
      expect(phases).toEqual(phases.toSorted())
      expect(new Set(phases)).toEqual(new Set(['load', 'warm']))
      expect(signs.filter(({ kind }) => kind === 'gpu_missing')).toEqual([])
      const plan = engine.driver.memoryPlan!(engine.spec, { devices: ['cpu'] })
      const rooms = signs.flatMap((sign) => (sign.kind === 'kv_room' ? [sign.tokens] : []))
      expect(plan).toMatchObject({ kind: 'allocated', kvTokens: rooms[0] })
      const uses = signs.flatMap((sign) => (sign.kind === 'memory' ? [sign.use] : []))
      expect(uses.toSorted()).toEqual(['compute', 'kv', 'output', 'weights'])
    })

    it('prints neither the prompt nor its key', async () => {
      await using engine = await startBareEngine(specOf(llamaServer))
      await engine.untilReady()
      const messages = [{ role: 'user', content: 'a-secret-prompt' }]
      await (await engine.post('/v1/chat/completions', { messages, max_tokens: 4 })).text()
      await until('it has logged the end of the request', () =>
        engine.log().some((line) => line.includes('stop processing')),
      )
      const log = engine.log().join('\n')
      expect(log).not.toMatch(/a-secret-prompt|bare-key/)
    })

    it('says that it loads on every route, until it is there', async () => {
      // Read whole, so that it takes a while; its layers are holes in the file.
      const modelPath = join(dir, 'big.gguf')
      const shape = { layers: 8, dim: 256, heads: 4, kvHeads: 2, feedForward: 65_536 }
      await writeGgufImage(modelPath, tinyGguf({ ...shape, isSparse: true }))
      const spec = specOf(llamaServer, {
        ...{ slots: 1, contextLength: 256 },
        options: { load_mode: 'none', warmup: false },
      })
      await using engine = await startBareEngine(spec, { grant: { modelPath } })
      const seen = new Set<string>()
      await until('it loads on every route', async () => {
        const verdicts = (await engine.probeAll()).map(({ verdict }) => verdict)
        for (const verdict of verdicts) seen.add(verdict)
        return verdicts.every((verdict) => verdict === 'loading')
      })
      expect([...seen]).not.toContain('healthy')
      await engine.untilReady()
      const weights = signsOf(engine).flatMap((sign) =>
        sign.kind === 'memory' && sign.use === 'weights' ? [sign.bytes] : [],
      )
      expect(weights[0]).toBeGreaterThan(GIB / 2)
    }, 60_000)
  })
}
