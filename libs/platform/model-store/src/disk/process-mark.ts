import { readlinkSync } from 'node:fs'
import { pid } from 'node:process'
import { isRunning, readBootId, readStartTime } from '@berth/runtime'
import { z } from 'zod'

/** Names one life of a process, so that others can tell whether it still runs. */
export const ProcessMarkSchema = z.object({
  pid: z.number(),
  startTime: z.string(),
  /** Boot and pid namespace: in another one the pid means nothing. Empty: not known. */
  space: z.string(),
})

/** See `ProcessMarkSchema`. */
export type ProcessMark = z.infer<typeof ProcessMarkSchema>

/** The mark of this process. */
export const markOfThisProcess = (): ProcessMark => ({
  ...{ pid, startTime: readStartTime(pid), space: processSpace() },
})

/** `undefined` where it cannot be told: another machine, another container, no `/proc`. */
export const isMarkAlive = (mark: ProcessMark): boolean | undefined =>
  mark.space !== '' && mark.space === processSpace()
    ? isRunning(mark.pid, mark.startTime)
    : undefined

/** True when the mark is of this boot of this machine, be it of another container. */
export const isOfThisBoot = ({ space }: ProcessMark): boolean =>
  space !== '' && space.split(' ')[0] === readBootId()

/** True when both are the same life of a process. */
export const isSameProcess = (a: ProcessMark, b: ProcessMark): boolean =>
  a.pid === b.pid && a.startTime === b.startTime && a.space === b.space

const processSpace = (): string => {
  try {
    return `${readBootId()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    // Without /proc nobody can be looked at.
    return ''
  }
}
