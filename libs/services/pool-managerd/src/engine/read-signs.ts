import type { EngineDriver, LogSign } from '@berth/supervision'

/** What no engine says of itself in more characters; drivers read no more of a line. */
const LINE_MAX_CHARS = 2_000

/** What lines of a log tell of a start and of memory, in their order. */
export const readSigns = (
  { readLog }: Pick<EngineDriver, 'readLog'>,
  lines: readonly string[],
): readonly LogSign[] =>
  readLog === undefined ? [] : lines.flatMap((line) => readLog(line.slice(0, LINE_MAX_CHARS)) ?? [])
