import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createHeaderReader } from '@berth/model-headers'
import { quantile } from '../gateway/quantile.ts'
import { markdownTable } from '../markdown-table.ts'
import { writeModels } from './models.ts'

// What reading the header of a model costs: the process that reads it, and the agent that asks.
const PROGRAM = join(import.meta.dirname, '../../dist/model-header-reader.js')
const ROUNDS = 7
const POLL_MS = 1

const { values } = parseArgs({ options: { json: { type: 'string' } } })
if (!existsSync(PROGRAM)) throw new Error('Run first: node tools/build.ts')

/** The largest resident set of a process, as the kernel keeps it; 0 when it has ended. */
const peakOf = (pid: number): number => {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Number(found ?? 0) * 1024
  } catch {
    return 0
  }
}

/** One process that reads one header: its time and its peak. */
const readOnce = async (path: string) => {
  const began = performance.now()
  const child = spawn(
    process.execPath,
    ['--max-old-space-size=384', '--max-semi-space-size=16', PROGRAM],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  )
  child.stdin.end(JSON.stringify({ path }))
  let bytes = 0
  child.stdout.on('data', (data: Buffer) => (bytes += data.length))
  let peakBytes = 0
  const poll = setInterval(() => (peakBytes = Math.max(peakBytes, peakOf(child.pid!))), POLL_MS)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(poll)
  const end = code === 0 ? 'read' : 'gave up'
  return { tookMs: performance.now() - began, peakBytes, answerBytes: bytes, end }
}

const dir = await mkdtemp(join(tmpdir(), 'berth-bench-header-'))
try {
  const models = await writeModels(dir)
  const rows = []
  for (const { name, path } of models) {
    const rounds = []
    for (let round = 0; round < ROUNDS; round++) rounds.push(await readOnce(path))
    rows.push({
      model: name,
      median_ms: Math.round(
        quantile(
          rounds.map(({ tookMs }) => tookMs),
          0.5,
        ),
      ),
      peak_rss_mib: Math.round(Math.max(...rounds.map(({ peakBytes }) => peakBytes)) / 1024 ** 2),
      answer_kib: Math.ceil(rounds[0]!.answerBytes / 1024),
      end: rounds[0]!.end,
    })
  }
  const before = process.memoryUsage().rss
  for (let round = 0; round < ROUNDS; round++) {
    // A reader of its own each time: nothing is kept from the last.
    const reader = createHeaderReader({ nodePath: process.execPath, programPath: PROGRAM })
    for (const { path } of models) await reader.read(path).catch(() => 'gave up')
  }
  const grown_mib = Math.round((process.memoryUsage().rss - before) / 1024 ** 2)
  const asked = ROUNDS * models.length
  process.stdout.write(markdownTable(rows))
  process.stdout.write(`\nThe process that asked for ${asked} headers grew by ${grown_mib} MiB.\n`)
  if (values.json) writeFileSync(values.json, JSON.stringify({ rows, grown_mib }, undefined, 2))
} finally {
  await rm(dir, { recursive: true, force: true })
}
