import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { startFreeEngine } from '../gateway/free-engine.ts'
import { quantile } from '../gateway/quantile.ts'
import { benchPool, cpuSeconds, startRig, type AgentRig } from './agent-rig.ts'

const CHAT = '/v1/chat/completions'
const body = (more: object) =>
  JSON.stringify({
    ...{ model: 'bench', ...more },
    messages: [{ role: 'user', content: 'Say something short.' }],
  })

/** What the ingress adds to a request, against the same engine asked directly in the same run. */
export const measureIngress = async (rates: readonly number[], seconds: number) => {
  await using rig = await startRig([benchPool('p', { slots: 1_024 })])
  await rig.poolIs('p', ({ ready }) => ready)
  using direct = await startFreeEngine('bench')
  using proxy = await startPlainProxy(direct.url)
  const ingress = `http://127.0.0.1:${rig.ports['ingressPort']}`
  const rows = []
  for (const rate of rates) {
    const through = (length: number) => atRate(ingress, rate * length, rate, () => rig.token('p'))
    const around = (length: number) => atRate(direct.url, rate * length, rate)
    const plain = (length: number) => atRate(proxy.url, rate * length, rate)
    for (const way of [around, plain, through]) await way(2)
    const total = rate * seconds
    const bare = await around(seconds)
    const floor = await withCpu(proxy.pid, total, () => plain(seconds))
    const berth = await withCpu(rig.pid, total, () => through(seconds))
    rows.push(row(rate, bare, { floor, berth }))
  }
  return rows
}

interface Load {
  readonly latenciesMs: readonly number[]
  readonly failed: number
}

interface Proxied extends Load {
  readonly cpuMs: number
}

const withCpu = async (pid: number, total: number, load: () => Promise<Load>): Promise<Proxied> => {
  const before = await cpuSeconds(pid)
  const done = await load()
  return { ...done, cpuMs: (((await cpuSeconds(pid)) - before) * 1_000) / total }
}

const row = (
  rate: number,
  bare: Load,
  { floor, berth }: { readonly floor: Proxied; readonly berth: Proxied },
) => {
  const at = ({ latenciesMs }: Load, q: number) => quantile(latenciesMs, q)
  return {
    req_per_s: rate,
    sent: berth.latenciesMs.length + berth.failed,
    failed: bare.failed + floor.failed + berth.failed,
    direct_p50_ms: round(at(bare, 0.5)),
    direct_p99_ms: round(at(bare, 0.99)),
    plain_added_p50_ms: round(at(floor, 0.5) - at(bare, 0.5)),
    plain_added_p99_ms: round(at(floor, 0.99) - at(bare, 0.99)),
    plain_cpu_ms: round(floor.cpuMs),
    added_p50_ms: round(at(berth, 0.5) - at(bare, 0.5)),
    added_p99_ms: round(at(berth, 0.99) - at(bare, 0.99)),
    cpu_ms: round(berth.cpuMs),
  }
}

const startPlainProxy = async (
  target: string,
): Promise<{ readonly url: string; readonly pid: number } & Disposable> => {
  const program = join(import.meta.dirname, 'plain-proxy.ts')
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const child = spawn(process.execPath, [program, target], { stdio: [...stdio] })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    url: `http://127.0.0.1:${port.toString().trim()}`,
    pid: child.pid!,
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

/** Open loop; latencies count from when a request was due. Leases are minted before. */
const atRate = async (
  url: string,
  total: number,
  perSecond: number,
  token?: () => string,
): Promise<Load> => {
  const agent = new Agent({ pipelining: 1 })
  const payload = body({ max_tokens: 8 })
  const tokens = Array.from({ length: total }, () => token?.())
  const latenciesMs: number[] = []
  let failed = 0
  const send = async (lease: string | undefined, dueMs: number) => {
    const fromMs = Math.min(dueMs, performance.now())
    const headers = { 'content-type': 'application/json', ...(lease && { 'berth-lease': lease }) }
    try {
      const options = { method: 'POST', dispatcher: agent, headers, body: payload } as const
      const answer = await request(url + CHAT, options)
      await answer.body.dump()
      if (answer.statusCode === 200) latenciesMs.push(performance.now() - fromMs)
      else failed += 1
    } catch {
      // Counted, and told in the result.
      failed += 1
    }
  }
  const startMs = performance.now()
  const pending: Promise<void>[] = []
  for (const [index, lease] of tokens.entries()) {
    const dueMs = startMs + (index * 1_000) / perSecond
    const earlyMs = dueMs - performance.now()
    if (earlyMs > 0) await pause(earlyMs)
    pending.push(send(lease, dueMs))
  }
  await Promise.all(pending)
  await agent.close()
  return { latenciesMs, failed }
}

const STREAMS = 8
const TOKENS = 1_500

/** Events a core relays in a second: as they come, without the usage we asked for, and whole. */
export const measureChunks = async (rounds: number) => {
  const quick = (id: string, dialect: string) =>
    benchPool(id, { slots: STREAMS, context_length: 65_536 }, { dialect })
  await using rig = await startRig([quick('vllm', 'vllm'), quick('llamacpp', 'llamacpp')])
  for (const id of ['vllm', 'llamacpp']) await rig.poolIs(id, ({ ready }) => ready)
  const stream = { stream: true, stream_options: { include_usage: true } }
  return [
    await chunksOf(rig, rounds, { way: 'as it comes', pool: 'vllm', more: stream }),
    await chunksOf(rig, rounds, { way: 'usage taken out', pool: 'vllm', more: { stream: true } }),
    await chunksOf(rig, rounds, { way: 'made whole', pool: 'llamacpp', more: {} }),
  ]
}

const chunksOf = async (
  rig: AgentRig,
  rounds: number,
  { way, pool, more }: { way: string; pool: string; more: object },
) => {
  const url = `http://127.0.0.1:${rig.ports['ingressPort']}${CHAT}`
  const payload = body({ max_tokens: TOKENS, ignore_eos: true, ...more })
  const ask = async () => {
    const headers = { 'content-type': 'application/json', 'berth-lease': rig.token(pool) }
    const answer = await request(url, { method: 'POST', headers, body: payload })
    await answer.body.dump({ limit: 1e9 })
    if (answer.statusCode !== 200) throw new Error(`${way}: ${answer.statusCode}`)
  }
  await ask()
  const before = await cpuSeconds(rig.pid)
  for (let n = 0; n < rounds; n += 1) await Promise.all(Array.from({ length: STREAMS }, ask))
  const cpu = (await cpuSeconds(rig.pid)) - before
  const events = rounds * STREAMS * TOKENS
  return { way, events, cpu_s: round(cpu), events_per_core_second: Math.round(events / cpu) }
}

const round = (value: number) => Math.round(value * 100) / 100
