import { expect, it } from '@jest/globals'
import { findOomRecord } from './oom-record.ts'

const LOG = [
  '6,1,2,-;python3 invoked oom-killer: gfp_mask=0x140dca',
  '3,2,3,-;Out of memory: Killed process 4711 (python3) total-vm:9kB, anon-rss:8kB\n SUBSYSTEM=x',
  '3,3,4,-;Memory cgroup out of memory: Killed process 12 (llama-server) total-vm:1kB',
  '3,4,5,-;systemd[1]: unit: Killed process 99 (x) with signal SIGKILL',
]

it.each([
  [4711, 'Out of memory: Killed process 4711 (python3) total-vm:9kB, anon-rss:8kB'],
  [12, 'Memory cgroup out of memory: Killed process 12 (llama-server) total-vm:1kB'],
  [471, undefined],
  [99, undefined],
])('the kernel says whether it killed process %i for want of memory', (pid, record) => {
  expect(findOomRecord(pid, LOG)).toBe(record)
})
