import { expect, it } from '@jest/globals'
import { readGpuProcesses } from './compute-apps.ts'
import { fixture } from './testing/fixture.ts'

const MIB = 1_048_576

it.each([
  ['compute-apps_h100_load_590.48.01.csv', { 11327: 2_566, 11328: 1_542, 11345: 15_690 }],
  ['compute-apps_h100-mig_load_590.48.01.csv', { 21180: 2_296, 21181: 1_272, 21198: 7_484 }],
  ['compute-apps_h100_idle_590.48.01.csv', {}],
])('processes and their memory are read from %s', (name, expected) => {
  const processes = readGpuProcesses(fixture(name))
  expect(
    Object.fromEntries(processes.map(({ pid, memoryBytes }) => [pid, memoryBytes! / MIB])),
  ).toEqual(expected)
})

it('a process whose memory the driver does not tell holds an unknown amount, not none', () => {
  const processes = readGpuProcesses(fixture('compute-apps_windows_rtx-2080-super_load_591.86.csv'))
  expect(processes).toHaveLength(12)
  expect(processes.filter((each) => 'memoryBytes' in each)).toEqual([])
})

it('a program with commas in its path does not shift the columns', () => {
  const header = 'gpu_uuid, pid, process_name, used_gpu_memory [MiB]'
  expect(readGpuProcesses(`${header}\nGPU-a, 7, /opt/a, b, c, 12 MiB`)).toEqual([
    { gpuUuid: 'GPU-a', pid: 7, memoryBytes: 12 * MIB },
  ])
})

it('our own query is read without a header', () => {
  expect(readGpuProcesses('GPU-a, 7, 12\nGPU-a, [N/A], 12\n')).toEqual([
    { gpuUuid: 'GPU-a', pid: 7, memoryBytes: 12 * MIB },
  ])
})
