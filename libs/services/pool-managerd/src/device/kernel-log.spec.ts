import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { createSilentLogger } from '@berth/runtime'
import { openKernelLog } from './kernel-log.ts'

const XID = '6,1,1,-;NVRM: Xid (PCI:0000:81:00): 79, GPU has fallen off the bus.\n'

it('the kernel log is read from now on, what is new at each reading', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-kmsg-'))
  const path = join(dir, 'kmsg')
  await writeFile(path, 'of an earlier life\n')
  using log = await openKernelLog(createSilentLogger(), path)
  expect(await log.read()).toEqual([])
  await appendFile(path, XID)
  expect(await log.read()).toEqual([XID])
  expect(await log.read()).toEqual([])
  await rm(dir, { recursive: true })
})

it('a kernel log that may not be read is empty', async () => {
  using log = await openKernelLog(createSilentLogger(), '/nowhere/kmsg')
  expect(await log.read()).toEqual([])
})
