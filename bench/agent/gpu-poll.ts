import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { GPU_FIELDS } from '@berth/devices'
import { benchPool, startRig } from './agent-rig.ts'

const GPUS = 8

/** What looking at eight GPUs costs: the agent itself, and the tool it starts (here a script). */
export const measureGpuPoll = async (seconds: number) => {
  const { PATH: path } = process.env
  const without = await costOf(seconds, [])
  await using tool = await makeTool()
  process.env['PATH'] = [tool.dir, path].join(delimiter)
  try {
    const polling = await costOf(seconds, [...Array(GPUS).keys()])
    return {
      ...{ gpus: GPUS, seconds, calls: await tool.calls() },
      agent_percent_without: round(without.own),
      agent_percent: round(polling.own),
      tool_percent: round(polling.children),
    }
  } finally {
    process.env['PATH'] = path
  }
}

/** What `nvidia-smi` prints of a GPU, by field. */
const GPU: Readonly<Record<string, string>> = {
  ...{ name: 'NVIDIA L4', 'memory.total': '23034', 'memory.free': '22000' },
  ...{ 'utilization.gpu': '3', 'temperature.gpu': '41', compute_cap: '8.9', pstate: 'P8' },
  ...{ driver_version: '550.90.07', gpu_recovery_action: 'None' },
}

const makeTool = async () => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-bench-gpu-'))
  const rows = Array.from({ length: GPUS }, (_, n) => {
    const own = { ...GPU, index: `${n}`, 'pci.bus_id': `00000000:8${n}:00.0`, uuid: uuidOf(n) }
    const told = new Map(Object.entries(own))
    return GPU_FIELDS.map((field) => told.get(field) ?? '[N/A]').join(', ')
  })
  await writeFile(join(dir, 'rows.csv'), `${rows.join('\n')}\n`)
  await writeFile(join(dir, 'calls'), '')
  const script = `#!/bin/sh\necho >> ${dir}/calls\ncase "$1" in --query-gpu*) exec cat ${dir}/rows.csv ;; esac\n`
  await writeFile(join(dir, 'nvidia-smi'), script)
  await chmod(join(dir, 'nvidia-smi'), 0o755)
  return {
    dir,
    calls: async () => (await readFile(join(dir, 'calls'), 'utf8')).length,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

const uuidOf = (n: number) => `GPU-0000000${n}-1111-2222-3333-444444444444`

/** Percent of a core, of an agent with eight idle pools and of the children it waited for. */
const costOf = async (seconds: number, gpus: readonly number[]) => {
  const ids = Array.from({ length: GPUS }, (_, n) => `p${n}`)
  const pools = ids.map((id, n) => benchPool(id, gpus.length > 0 ? { devices: [gpus[n]] } : {}))
  await using rig = await startRig(pools)
  for (const id of ids) await rig.poolIs(id, ({ ready }) => ready)
  await pause(10_000)
  const before = await cpuOf(rig.pid)
  await pause(seconds * 1_000)
  const after = await cpuOf(rig.pid)
  const percent = (of: keyof typeof after) => ((after[of] - before[of]) / seconds) * 100
  return { own: percent('own'), children: percent('children') }
}

/** Fields 14 to 17 of proc(5), in ticks of 10 ms. */
const cpuOf = async (pid: number) => {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
  const sum = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) / 100
  return { own: sum(11), children: sum(13) }
}

const round = (value: number) => Math.round(value * 100) / 100
