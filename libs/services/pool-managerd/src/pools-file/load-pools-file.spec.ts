import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { resolveMask, type FoundDevice } from '@berth/devices'
import { drivers } from '@berth/drivers'
import { loadPoolsFile } from './load-pools-file.ts'

const dir = mkdtempSync(join(tmpdir(), 'berth-pools-file-'))
afterAll(() => rmSync(dir, { recursive: true }))
writeFileSync(join(dir, 'm.gguf'), 'weights')

const GPU: FoundDevice = {
  ...{ deviceId: '0', uuid: 'GPU-0', name: 'L4', kind: 'nvidia', computeCapability: '8.9' },
  ...{ cores: 0, memoryTotalBytes: 1_000 },
}
const CPU: FoundDevice = {
  ...{ deviceId: 'cpu', uuid: 'cpu', name: 'cpu', kind: 'cpu', computeCapability: '', cores: 2 },
}
const devices = {
  resolve: (mask: readonly string[]) => resolveMask(mask, [CPU, GPU], { isIncomplete: false }),
}

const load = (text: string) => {
  const path = join(dir, `${crypto.randomUUID()}.yaml`)
  writeFileSync(path, text)
  return loadPoolsFile({ path, drivers, devices })
}
/** The problems without the line above them. */
const problemsOf = (text: string): string[] => {
  try {
    load(text)
  } catch (error) {
    expect(error).toMatchObject({ reason: 'CONFIG_INVALID' })
    return (error as Error).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
  return []
}
const pools = (...entries: readonly object[]) => JSON.stringify({ host: 'h1', pools: entries })
const sim = (more: object) => ({ id: 'a', engine: 'sim', model: 'm', ...more })

describe('the pools file', () => {
  it('lists what is wrong with its form and with this host in one round', () => {
    const text = JSON.stringify({
      host: 'Host One',
      colour: 'red',
      pools: [
        sim({ slots: 'many', devices: [7], lifecycle: { start_timeout: 3 } }),
        sim({ id: 'b', devices: [0], vram_budget_bytes: 700 }),
        sim({ id: 'c', devices: [0], vram_budget_bytes: 700, ttl: 9 }),
        { id: 'a', engine: 'tgi' },
        { id: 'd', engine: 'embedded', model: 'file:none.gguf', url: 'nowhere' },
        { id: 'Pool_E', engine: 'sim', model: 'm', determinism: 'strict', slots: 2 },
        'no pool',
      ],
    })
    expect(problemsOf(text)).toEqual([
      'host: expected 1 to 63 of a-z, 0-9 and "-"',
      'colour: is not a known setting',
      'pools[0].slots: Invalid input: expected number, received string',
      'pools[0].lifecycle.start_timeout: is not a known setting',
      'pools[0].devices[0]: this host has no device 7, only cpu, 0',
      'pools[2].ttl: is not a known setting',
      expect.stringMatching(/^pools\[3\]\.engine: Invalid option: expected one of "vllm"/),
      'pools[4].url: Invalid URL',
      `pools[4].model: there is no file ${join(dir, 'none.gguf')}`,
      'pools[5].id: expected 1 to 63 of a-z, 0-9 and "-"',
      'pools[5].slots: determinism strict needs exactly 1',
      'pools[6]: Invalid input: expected object, received string',
      'pools[3].id: a names another pool already: pools[0]',
      'pools[2].vram_budget_bytes: device 0 has 1000 bytes, and 1400 are promised (b 700, c 700)',
    ])
  })

  it('says of what it does not do that it does not', () => {
    expect(
      problemsOf(
        pools(
          sim({ load: 'on_demand', ttl_s: 1_800 }),
          { id: 'd', engine: 'embedded', model: 'file:m.gguf', digest: 'md5:1' },
          sim({ id: 'e', digest: `sha256:${'0'.repeat(64)}` }),
        ),
      ),
    ).toEqual([
      'pools[0].ttl_s: idle pools are not unloaded by this version. Remove the key, or stop the pool by command',
      'pools[1].digest: expected "sha256:" and 64 of 0-9 and a-f',
      'pools[2].digest: only the one model file of a managed pool has one (model: file:...)',
    ])
  })

  it('takes any reference its engine can read, with a digest where it comes to one file', () => {
    const digest = `sha256:${'0'.repeat(64)}`
    const file = pools(
      { id: 'a', engine: 'embedded', model: 'hf:org/name-GGUF@main:Q4_K_M', digest },
      { id: 'b', engine: 'embedded', model: 'https://example.org/m.gguf' },
      { id: 'c', engine: 'embedded', model: 'oci:localhost:5000/models/m:1' },
      { id: 'd', engine: 'embedded', model: 'ollama:qwen3:0.6b' },
    )
    expect(load(file).pools.map(({ engine }) => engine.modelId)).toEqual([
      ...['org/name-GGUF', 'm', 'localhost:5000/models/m:1', 'qwen3:0.6b'],
    ])
  })

  it('says of a reference that nobody can read what is wrong with it', () => {
    const [first] = problemsOf(pools({ id: 'a', engine: 'embedded', model: 'hf:--help' }))
    expect(first).toMatch(/^pools\[0\]\.model: .*hf:/)
  })

  it('may have no pools, and pools without a model', () => {
    expect(load('host: h1\n').pools).toEqual([])
    expect(load('host: h1\npools: []\n').pools).toEqual([])
    const [pool] = load(pools({ id: 'a', engine: 'embedded' })).pools
    expect(pool).toMatchObject({ poolId: 'a', modelRef: '' })
    expect(pool?.engine.modelId).toBeUndefined()
  })

  it.each([
    ['syntax', 'host: [', /:1:\d+: Flow sequence/],
    ['a key twice', 'host: a\nhost: b\n', /:2:1: Map keys must be unique/],
    ['aliases that grow', bomb(), /Excessive alias count/],
    ['a list', '- a\n', /expected object, received array/],
  ])('that is no pools file is told where: %s', (_what, text, problem) => {
    expect(() => load(text)).toThrow(expect.objectContaining({ reason: 'CONFIG_INVALID' }))
    expect(() => load(text)).toThrow(problem)
  })

  it('that is far too large or too deep is refused by name, and not read', () => {
    expect(problemsOf(`# ${'x'.repeat(2_000_000)}\nhost: h1\n`)).toEqual([
      'it has 2000012 bytes: a pools file has at most 1048576',
    ])
    expect(() => load('['.repeat(200_000))).toThrow(
      expect.objectContaining({ reason: 'CONFIG_INVALID' }),
    )
  })

  it('keeps the list of a very wrong file short', () => {
    const many = Array.from({ length: 400 }, (_, index) => sim({ id: `p${index}`, nope: 1 }))
    const problems = problemsOf(pools(...many))
    expect(problems).toHaveLength(257)
    expect(problems[0]).toBe('pools: Too big: expected array to have <=256 items')
  })

  it('[001-MODE-4] knows three modes, of which managed is the default', () => {
    const url = 'http://127.0.0.1:1'
    const file = load(
      pools(
        sim({}),
        sim({ id: 'b', mode: 'managed' }),
        sim({ id: 'c', mode: 'monitored', url }),
        sim({ id: 'd', mode: 'external', url }),
      ),
    )
    expect(file.pools.map(({ engine }) => engine.mode)).toEqual([
      ...['managed', 'managed', 'monitored', 'external'],
    ])
    expect(problemsOf(pools(sim({ mode: 'automatic' })))).toHaveLength(1)
  })

  it('[002-23a, 002-24a, 002-24a2, 002-25a, 002-10b2] sets slots, probes, fail-open and backoff of a pool', () => {
    const [plain, own] = load(
      pools(
        sim({}),
        sim({
          ...{ id: 'b', slots: 7, health: { mode: 'fail_open' } },
          lifecycle: {
            ...{ health_check_interval_s: 2, health_check_timeout_s: 3 },
            backoff: { initial_ms: 50, factor: 3, max_ms: 900, jitter: 0.5 },
          },
        }),
      ),
    ).pools
    expect(plain).toMatchObject({
      hasOwnSlots: false,
      probing: { timeoutMs: 5_000 },
      policy: {
        ...{ probeIntervalMs: 5_000, isFailOpen: false },
        restart: { backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0.1 } },
      },
    })
    expect(own).toMatchObject({
      ...{ hasOwnSlots: true, engine: { slots: 7 }, probing: { timeoutMs: 3_000 } },
      policy: {
        ...{ probeIntervalMs: 2_000, isFailOpen: true },
        restart: { backoff: { initialMs: 50, factor: 3, maxMs: 900, jitter: 0.5 } },
      },
    })
  })
})

/** Each line names the one before it ten times. */
function bomb(): string {
  const lines = Array.from({ length: 9 }, (_, index) => {
    const names = Array.from({ length: 10 }, () => `*a${index}`).join(', ')
    return `a${index + 1}: &a${index + 1} [${names}]`
  })
  return ['a0: &a0 x', ...lines].join('\n')
}
