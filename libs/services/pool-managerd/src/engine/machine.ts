import { stat } from 'node:fs/promises'
import { findPortHolder } from '@berth/runtime'
import { hashOfProcess } from '../state/process-scan.ts'
import { findFreePort, portIsFree } from './loopback-port.ts'
import { clearRoom, makeRoom } from './make-room.ts'
import { readOomRecord } from './oom-record.ts'
import { findTree, killTree, type TreeMember } from './process-tree.ts'
import type { Room, RoomOwner } from './room.ts'
import { tailLog, type LogTail, type TailOptions } from './tail-log.ts'

/** What a launch needs of the machine besides the process itself, as a port. */
export interface Machine {
  /** True for a file that is there and no folder. */
  hasFile(path: string): Promise<boolean>
  /** True for a folder. Absent: there are none. */
  hasFolder?(path: string): Promise<boolean>
  /** Makes the folders of an instance and puts the log of the last one aside. */
  makeRoom(room: Room & RoomOwner): Promise<void>
  /** Removes the work folder of an instance that is no more. */
  clearRoom(cwd: string): Promise<void>
  tailLog(options: TailOptions): LogTail
  findFreePort(): Promise<number>
  portIsFree(port: number): Promise<boolean>
  /** Who listens on a port, such as `pid 12 (nginx -g)`; `undefined` when it cannot be told. */
  holderOf(port: number): string | undefined
  /** Names the command line of a process; empty when it cannot be read. */
  hashOfProcess(pid: number): string
  /** What the kernel said when it killed a process for want of memory. */
  oomRecordOf(pid: number): string | undefined
  /** Every process of an instance that runs, whatever group it went to. */
  findTree(instanceId: string): readonly TreeMember[]
  killTree(members: readonly TreeMember[]): void
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
  hasFolder: (path) =>
    stat(path).then(
      (entry) => entry.isDirectory(),
      () => false,
    ),
  makeRoom,
  clearRoom,
  tailLog,
  findFreePort,
  portIsFree,
  holderOf: (port) => {
    const holder = findPortHolder(port)
    return holder && `pid ${holder.pid} (${holder.command})`
  },
  hashOfProcess,
  oomRecordOf: readOomRecord,
  findTree,
  killTree,
}
