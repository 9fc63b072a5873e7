import type { Machine } from '@berth/pool-managerd'

type LogTail = ReturnType<Machine['tailLog']>

/** The log files of a machine: lines by path, told to who follows them at once. */
export interface SimLogs {
  clear(path: string): void
  print(path: string, line: string): void
  follow(path: string, onLines: (lines: readonly string[]) => void): LogTail
}

export const createSimLogs = (): SimLogs => {
  const written = new Map<string, string[]>()
  const followers = new Map<string, (lines: readonly string[]) => void>()
  return {
    clear: (path) => void written.set(path, []),
    print: (path, line) => {
      const follow = followers.get(path)
      if (follow) return follow([line])
      written.set(path, [...(written.get(path) ?? []), line])
    },
    follow: (path, onLines) => {
      followers.set(path, onLines)
      const early = written.get(path) ?? []
      written.delete(path)
      if (early.length > 0) queueMicrotask(() => onLines(early))
      return {
        catchUp: async () => undefined,
        [Symbol.asyncDispose]: async () => {
          if (followers.get(path) === onLines) followers.delete(path)
        },
      }
    },
  }
}
