import { describe, expect, it } from '@jest/globals'
import { createSimClock } from '@berth/kernel/testing'
import { byteText } from './byte-text.ts'
import { progressLine, tellProgress } from './load-progress.ts'
import type { Fit, HostFiles } from './models-client.ts'
import { filesText, fitText, residencyText } from './models-text.ts'
import type { LoadDetail, OperationDetail, PoolDetail } from './pools-client.ts'
import { createTerminal } from './terminal.ts'

const GIB = 2 ** 30
const MODEL = {
  ...{ model_id: 'llama', residency: 'resident', active_requests: 2, memory_bytes: 5 * GIB },
  ...{ gpu_bytes: 4 * GIB, expires_at: null, parent: null },
}
const POOL = { id: 'a', engine: 'ollama', models: [MODEL], asleep: false } as unknown as PoolDetail
const LOAD: LoadDetail = {
  ...{ status: 'download', progress_percent: 42.7, bytes_downloaded: GIB, total_bytes: 3 * GIB },
  ...{ is_progress_known: true, eta_ms: null },
}
const PULL: OperationDetail = {
  ...{ operation_id: 'o1', operation_type: 'pull', status: 'in_progress', backend_id: null },
  ...{ progress_percent: 42, step: 'download', model_id: 'm', model_ref: 'hf:o/n', load: LOAD },
  ...{ initiated_at: '2026-01-01T00:00:00.000Z', completed_at: null, error_details: null },
}

describe('models', () => {
  it('are a table of where each is and what it takes', () => {
    const asleep = { ...POOL, id: 'b', asleep: true, models: [{ ...MODEL, memory_bytes: null }] }
    expect(residencyText([POOL, asleep])).toEqual([
      'MODEL  POOL  ENGINE  RESIDENCY         MEMORY   ON GPU   REQUESTS  UNLOADED AT',
      'llama  a     ollama  resident          5.0 GiB  4.0 GiB  2         -',
      'llama  b     ollama  resident, asleep  -        4.0 GiB  2         -',
    ])
  })

  it('have files on each host, the largest first, with the disk they stand on', () => {
    const disk = { root: '/m', total_bytes: 100 * GIB, free_bytes: 60 * GIB, models_bytes: 6 * GIB }
    const file = {
      ...{ path: '/m/x', complete: true, bytes_downloaded: 0, last_used_at: null, pool_ids: [] },
      ...{ architecture: null, quantization: null, parameters: null },
    }
    const models = [
      { ...file, model_ref: 'hf:o/n', size_bytes: GIB, complete: false, bytes_downloaded: 1_024 },
      {
        ...{ ...file, model_ref: 'file:x.gguf', size_bytes: 5 * GIB, pool_ids: ['a', 'b'] },
        ...{ architecture: 'llama', parameters: 8.03e9, quantization: 'Q4_K_M' },
      },
    ]
    const hosts: HostFiles[] = [
      { host_id: 'h1', disk, models },
      { host_id: 'h2', disk: null, models: [] },
    ]
    expect(filesText(hosts)).toEqual([
      '',
      'h1: 2 in /m, 6.0 GiB; 60.0 GiB of 100.0 GiB free',
      'REFERENCE    SIZE     WHAT               STATE           POOLS  LAST USED',
      'file:x.gguf  5.0 GiB  llama 8.0B Q4_K_M  complete        a, b   -',
      'hf:o/n       1.0 GiB  -                  1.0 KiB so far  -      -',
      '',
      'h2 keeps no model files.',
    ])
  })

  it('are bytes in the largest unit they fill', () => {
    expect([0, 1_023, 1_024, 1.5 * GIB, 2 ** 60].map(byteText)).toEqual([
      ...['0 B', '1023 B', '1.0 KiB', '1.5 GiB', '1024.0 PiB'],
    ])
  })
})

describe('fit', () => {
  const FIT: Fit = {
    ...{ host_id: 'h1', pool_id: 'a', model_id: 'm', fits: false, reason: 'It needs more.' },
    ...{ basis: 'header', required_bytes: 3 * GIB, host_bytes: 0, correction: 1.08 },
    terms: [{ name: 'weights', bytes: 2 * GIB, formula: 'tensors of the file' }],
    devices: [
      {
        ...{ device_id: '0', required_bytes: 3 * GIB, available_bytes: GIB, total_bytes: null },
        headroom_bytes: GIB,
      },
    ],
    evictable_model_ids: ['old'],
  }

  it('is the verdict, every term, every device, and what would make room', () => {
    // What makes room is in another pool, and unloaded from there.
    const at = { host_id: 'h1', models: [{ ...MODEL, model_id: 'old' }] }
    const pools = [
      { ...POOL, ...at },
      { ...POOL, ...at, id: 'b' },
      { ...POOL, ...at, id: 'c', host_id: 'h2' },
      { ...POOL, ...at, id: 'd', models: [{ ...MODEL, model_id: 'old', residency: 'on_disk' }] },
    ]
    expect(fitText([FIT], 'file:m.gguf', pools)).toEqual([
      'm in pool a on h1: does not fit. It needs more.',
      '',
      'TERM      BYTES                HOW',
      'weights   2147483648  2.0 GiB  tensors of the file',
      'required  3221225472  3.0 GiB  on devices',
      'from: header',
      'corrected by 1.08, as earlier loads were measured',
      '',
      'DEVICE  REQUIRED  AVAILABLE  OF  KEPT FREE',
      '0       3.0 GiB   1.0 GiB    -   1.0 GiB',
      '',
      '→ make room: ./berth models unload old --pool b',
    ])
  })

  it('says why a pool cannot tell', () => {
    const none = { required_bytes: null, host_bytes: null, correction: null, basis: null }
    const unknown = { ...none, fits: null, reason: 'It is external.', terms: [], devices: [] }
    expect(fitText([{ ...FIT, ...unknown, model_id: null }], 'file:m.gguf')).toEqual([
      'file:m.gguf in pool a on h1: nobody can tell. It is external.',
    ])
  })
})

describe('the progress of a download', () => {
  it('is a bar, bytes, rate and what is left', () => {
    expect(progressLine(PULL, 64 * 2 ** 20)).toBe(
      'download [##########..............]  42 %  1.0 GiB of 3.0 GiB  64.0 MiB/s  32 s left',
    )
    expect(progressLine({ ...PULL, load: { ...LOAD, status: 'weights', eta_ms: 75_000 } })).toBe(
      'weights  [##########..............]  42 %  1 min 15 s left',
    )
  })

  it('has the rate of the last seconds, not of all its past', async () => {
    const clock = createSimClock()
    const lines: string[] = []
    const screen = { isTTY: false, columns: 80, write: (text: string) => lines.push(text) > 0 }
    const tell = tellProgress(clock, createTerminal(screen, screen))
    const at = (percent: number, bytes: number) =>
      tell({ ...PULL, load: { ...LOAD, progress_percent: percent, bytes_downloaded: bytes } })
    at(1, 0)
    await clock.advance(60_000)
    at(20, 0)
    await clock.advance(1_000)
    at(30, 10 * 2 ** 20)
    expect(lines.at(-1)).toContain('10.0 MiB/s')
  })

  it('is a line for each tenth where nothing can be rewritten', () => {
    const lines: string[] = []
    const screen = { isTTY: false, columns: 80, write: (text: string) => lines.push(text) > 0 }
    const tell = tellProgress(createSimClock(), createTerminal(screen, screen))
    for (const percent of [40, 41, 49.9, 50, 58])
      tell({ ...PULL, load: { ...LOAD, progress_percent: percent } })
    expect(lines).toHaveLength(2)
  })
})
