// Compares the engine model with published runs of vLLM and with a live simulated engine:
//   node bench/routing/calibrate.ts
import { seededRng } from '@berth/kernel'
import { KV_TOKENS, type EngineSpec } from './engine-speed.ts'
import { runLive } from './live-run.ts'
import { roundRobin } from './policies/blind.ts'
import { PUBLISHED, type PublishedRun } from './published.ts'
import { replay, type Replayed } from './replay.ts'
import { toTrace } from './trace.ts'

const play = (spec: EngineSpec, rows: Parameters<typeof toTrace>[1]): Replayed =>
  replay(toTrace('calibrate', rows, 0), roundRobin('equal'), {
    fleet: [spec],
    seed: 1,
    scrapeMs: 100,
  })

const comparePublished = (run: PublishedRun) => {
  const { promptTokens, outputTokens } = run
  const row = { arrivalMs: 0, promptTokens, outputTokens, blocks: [] }
  const rows = Array.from({ length: run.prompts }, () => row)
  const { firstTokenMs, finishedMs } = play({ ...run, kvTokens: KV_TOKENS }, rows)
  const lastMs = Math.max(...finishedMs)
  const tpotMs = finishedMs.map((ms, n) => (ms - firstTokenMs[n]!) / (outputTokens - 1))
  const name = `${run.gpu} ${run.prompts} x ${promptTokens}/${outputTokens}`
  print(
    name,
    'total tokens/s',
    run.totalTokensPerS,
    (run.prompts * (promptTokens + outputTokens) * 1_000) / lastMs,
  )
  print(name, 'TTFT mean ms', run.ttftMeanMs, mean(firstTokenMs))
  print(name, 'TPOT mean ms', run.tpotMeanMs, mean(tpotMs))
}

const compareLive = async () => {
  const settings = { slots: 8, tokenMs: 10 }
  const rng = seededRng(7)
  // 0.9 of what the slots can do, so that requests wait for one another.
  const gapMs = (settings.tokenMs * 50) / settings.slots / 0.9
  let atMs = 0
  const arrivalsMs = Array.from({ length: 400 }, () => (atMs += -Math.log(1 - rng.float()) * gapMs))
  const maxTokens = arrivalsMs.map(() => 10 + Math.floor(rng.float() * 90))
  const live = await runLive(settings, arrivalsMs, maxTokens)
  const spec: EngineSpec = {
    gpu: 'sim',
    cost: {
      fixedMs: settings.tokenMs,
      promptTokenMs: 0,
      attendedTokenMs: 0,
      sequenceMs: 0,
      kvTokenMs: 0,
    },
    maxBatchedTokens: 2_048,
    maxSeqs: settings.slots,
    kvTokens: KV_TOKENS,
  }
  const rows = live.map(({ arrivalMs, outputTokens }) => ({
    arrivalMs,
    outputTokens,
    promptTokens: 1,
    blocks: [],
  }))
  rows.sort((a, b) => a.arrivalMs - b.arrivalMs)
  const firstMs = rows[0]!.arrivalMs
  const modelled = play(spec, rows)
  const ofModel = (ms: Float64Array) => ms.map((value, n) => value - (rows[n]!.arrivalMs - firstMs))
  const ttft = live.map((request) => request.firstTokenMs - request.arrivalMs)
  const e2e = live.map((request) => request.finishedMs - request.arrivalMs)
  const name = `sim-engine, ${settings.slots} slots`
  print(name, 'TTFT mean ms', mean(ttft), mean(ofModel(modelled.firstTokenMs)))
  print(name, 'TTFT p99 ms', p99(ttft), p99(ofModel(modelled.firstTokenMs)))
  print(name, 'E2E mean ms', mean(e2e), mean(ofModel(modelled.finishedMs)))
  print(name, 'E2E p99 ms', p99(e2e), p99(ofModel(modelled.finishedMs)))
}

const print = (run: string, what: string, measured: number, modelled: number) => {
  const error = `${(100 * (modelled / measured - 1)).toFixed(1)} %`
  const cells = [run.padEnd(24), what.padEnd(15), measured.toFixed(1).padStart(10)]
  process.stdout.write(
    `${[...cells, modelled.toFixed(1).padStart(10), error.padStart(8)].join(' ')}\n`,
  )
}

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length
const p99 = (values: ArrayLike<number>) =>
  Array.from(values).sort((a, b) => a - b)[Math.floor(0.99 * values.length)]!

process.stdout.write('run                      what              measured      model    error\n')
for (const run of PUBLISHED) comparePublished(run)
await compareLive()
