import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import {
  createFleetView,
  foldSnapshot,
  kvBytes,
  markKeyed,
  reserve,
  type Device,
  type FleetView,
} from '@berth/fleet'
import { hostSnapshot, poolSnapshot } from '@berth/fleet/testing'
import type { HostId, ModelId, PoolId } from '@berth/kernel'
import {
  DEFAULT_PLACEMENT_POLICY as POLICY,
  explain,
  place,
  VERDICTS,
  type PlacementJob,
} from '@berth/placement'
import { root } from './src/project-files.ts'

const GIB = 2 ** 30
const MIB = 2 ** 20
const page = readFileSync(join(root, 'docs/placement.md'), 'utf8')

type Row = Readonly<Record<string, string>>

/** The tables of a section, each row by its headings, without back-ticks. */
const tablesOf = (title: string): Row[][] => {
  const section = page.split(/^#+ /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
  const blocks = section.split('\n\n').filter((block) => /^\s*\|/.test(block))
  return blocks.map((block) => {
    const lines = block.trim().split('\n')
    const [heading, , ...rows] = lines.map((line) =>
      line
        .trim()
        .replaceAll('`', '')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    return rows.map((cells) => Object.fromEntries(cells.map((cell, at) => [heading![at]!, cell])))
  })
}

const DEVICES: readonly Device[] = [
  { deviceId: '0', kind: 'nvidia', memoryTotalBytes: 24 * GIB, memoryFreeBytes: 20 * GIB },
  { deviceId: '1', kind: 'nvidia', memoryTotalBytes: 12 * GIB, memoryFreeBytes: 10 * GIB },
]
const words = (cell = '') => cell.split(' ').filter((word) => word !== '')

const fleetOf = (rows: readonly Row[]): FleetView => {
  const view = createFleetView()
  const pools = rows.map((row) => {
    const tokensPerS = Number(row['tokens/s'] ?? 0)
    const performance = { tokensPerS, firstTokenMs: Number(row['first token ms']), samples: 9 }
    return poolSnapshot(row['pool']!, {
      deviceMask: row['devices'] === undefined ? ['0'] : words(row['devices']),
      deviceSplit: words(row['split']).map(Number),
      slotsTotal: Number(row['slots'] ?? 1),
      contextLength: Number(row['context'] ?? 0),
      computeCapability: 8.6,
      ...(tokensPerS > 0 ? { performance } : {}),
      ...(row['free GiB'] === undefined ? {} : { vramFreeBytes: Number(row['free GiB']) * GIB }),
    })
  })
  foldSnapshot(view, hostSnapshot('rig', pools, { devices: DEVICES }), 0)
  markKeyed(view, 'rig' as HostId, 1)
  for (const row of rows)
    for (let n = 0; n < Number(row['leases'] ?? 0); n++) reserve(view, row['pool'] as PoolId)
  return view
}

const jobOf = (text: string): PlacementJob => {
  const said = new Map(text.split(', ').map((part) => [part.split(' ')[0]!, words(part).slice(1)]))
  const number = (name: string) => Number(said.get(name)?.[0] ?? 0)
  const pools = (name: string) => (said.get(name) ?? []) as PoolId[]
  const [pin] = pools('pin')
  const [session] = pools('session')
  return {
    ...{ modelId: 'm' as ModelId, route: '/v1/chat/completions', kvHint: 'none', isStrict: false },
    ...{ samplerProfileVersion: '', engineVersion: '', modelDigest: '', quantization: '' },
    ...{ engine: '', requiredExtensions: [], exclusions: [], exclusionsEndMs: 0, queueAhead: 0 },
    ...{ prefix: new Uint32Array(), promptTokens: 0, allowFallback: false },
    expectedTokens: number('tokens'),
    requiredCtx: number('ctx'),
    minVramBytes: number('vram') * GIB,
    minComputeCap: number('capability'),
    requireDeviceMask: pools('devices'),
    preferPools: pools('prefer'),
    avoidPools: pools('avoid'),
    ...(said.has('kv') ? { estKvBytes: number('kv') * GIB } : {}),
    ...(pin === undefined ? {} : { pinPoolId: pin }),
    ...(session === undefined ? {} : { warmPoolId: session }),
  }
}

/** What the page should say of a job. */
const answerTo = (view: FleetView, job: PlacementJob): Row => {
  const decision = place(view, job, POLICY, 0)
  const said = explain(view, job, POLICY, 0)
  if (decision.kind !== 'assigned') {
    const when = decision.kind === 'wait' ? 'later' : 'never'
    return { answer: decision.reason, 'end ms': '', 'decided by': when }
  }
  const isOnly = said.candidates.filter(({ rank }) => rank > 0).length === 1
  const by = said.isPinned ? 'pin' : isOnly ? 'only' : (said.tieBreak ?? 'score')
  return {
    answer: decision.pool.poolId,
    'end ms': String(decision.predictedEndMs),
    'decided by': by,
  }
}

describe('docs/placement.md', () => {
  it.each(['A quick start or a high rate', 'Equal scores', 'The reference rig'])(
    '[004-31a][004-38] says what place answers in its example: %s',
    (title) => {
      const [pools, jobs] = tablesOf(title)
      const view = fleetOf(pools!)
      expect(jobs!.length).toBeGreaterThan(3)
      const computed = jobs!.map(({ job }) => ({ job, ...answerTo(view, jobOf(job!)) }))
      expect(jobs).toEqual(computed)
    },
  )

  it('[004-31a] has every reason, in order, and when it ends', () => {
    const [rows] = tablesOf('Compatibility')
    const verdicts = Object.values(VERDICTS).filter(({ when }) => when !== 'now')
    verdicts.sort((a, b) => a.rank - b.rank)
    const written = rows!.map(({ reason, when }) => ({ reason, when }))
    expect(written).toEqual(verdicts.map(({ reason, when }) => ({ reason, when })))
  })

  it('[004-31a][004-01c] has the cache of every architecture it names', () => {
    const [, rows] = tablesOf('Compatibility')
    const computed = rows!.map((row) => {
      const bytes = kvBytes(
        {
          layers: Number(row['layers']),
          kvHeads: Number(row['kv heads']),
          keyDim: Number(row['key + value']) / 2,
          valueDim: Number(row['key + value']) / 2,
          kvDtypeBytes: Number(row['bytes']),
          windowLayers: Number(row['window layers']),
          windowTokens: Number(row['window']),
          latentDim: Number(row['latent']),
        },
        Number(row['tokens']),
      )
      return { ...row, 'cache MiB': String(Math.round(bytes / MIB)) }
    })
    expect(rows).toEqual(computed)
    expect(rows!.length).toBeGreaterThan(5)
  })

  it('[004-31a][004-02b] has the tie-breaks in their order', () => {
    const [rows] = tablesOf('The policy')
    expect(rows!.map((row) => row['tie-break'])).toEqual([
      ...['warmth', 'active_leases', 'slots_free', 'vram_headroom', 'perf_tokens_per_s'],
      'pool_id',
    ])
  })
})
