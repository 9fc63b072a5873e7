import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hashOfProcess } from '../state/process-scan.ts'
import { findFreePort, portIsFree } from './loopback-port.ts'
import { rotateLog } from './rotate-log.ts'
import { tailLog, type LogTail, type TailOptions } from './tail-log.ts'

/** What a launch needs of the machine besides the process itself, as a port. */
export interface Machine {
  /** True for a file that is there and no folder. */
  hasFile(path: string): Promise<boolean>
  /** Makes the folders of a pool and puts the log of its last instance aside. */
  makeRoom(room: { readonly cwd: string; readonly logPath: string }): Promise<void>
  tailLog(options: TailOptions): LogTail
  findFreePort(): Promise<number>
  portIsFree(port: number): Promise<boolean>
  /** Names the command line of a process; empty when it cannot be read. */
  hashOfProcess(pid: number): string
}

/** The machine of a launch; the agent's own where none is given. */
export const machineOf = ({ machine = thisMachine }: { readonly machine?: Machine }): Machine =>
  machine

/** The machine the agent runs on. */
export const thisMachine: Machine = {
  hasFile: (path) =>
    stat(path).then(
      (entry) => entry.isFile(),
      () => false,
    ),
  makeRoom: async ({ cwd, logPath }) => {
    await mkdir(cwd, { recursive: true })
    await mkdir(dirname(logPath), { recursive: true })
    await rotateLog(logPath)
  },
  tailLog,
  findFreePort,
  portIsFree,
  hashOfProcess,
}
