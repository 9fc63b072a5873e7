import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** The process that listens on a port. */
export interface PortHolder {
  readonly pid: number
  /** The first two words of the command line (the rest may be secret), at most 120 characters. */
  readonly command: string
}

/**
 * The process that listens on a TCP port of this machine, or `undefined` when it cannot be told:
 * another user's process, another system than Linux, or gone by now.
 *
 * Source: proc(5), `/proc/net/tcp`: column 1 local address, 3 state (`0A` is LISTEN), 9 inode.
 */
export const findPortHolder = (port: number): PortHolder | undefined => {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((f) => listeners(f, port)))
  if (inodes.size === 0) return undefined
  for (const name of orNothing(() => readdirSync('/proc')) ?? []) {
    if (/^\d+$/.test(name) && holdsSocket(name, inodes))
      return { pid: Number(name), command: commandOf(name) }
  }
  return undefined
}

const listeners = (file: string, port: number): string[] => {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = orNothing(() => readFileSync(file, 'utf8'))?.split('\n') ?? []
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((column) => column[1]?.endsWith(suffix) && column[3] === '0A')
    .map((column) => `socket:[${column[9]}]`)
}

const holdsSocket = (pid: string, inodes: ReadonlySet<string>): boolean =>
  (orNothing(() => readdirSync(`/proc/${pid}/fd`)) ?? []).some((fd) =>
    inodes.has(orNothing(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? ''),
  )

const commandOf = (pid: string): string => {
  const words = orNothing(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.split('\0') ?? []
  return words.slice(0, 2).join(' ').trim().slice(0, 120) || 'unknown command'
}

/** A process may end, or not be ours to read, between two looks at it: then there is nothing. */
const orNothing = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}
