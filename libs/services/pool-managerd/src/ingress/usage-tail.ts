/** Where an answer ends is where its usage stands; more is not kept. */
const TAIL_BYTES = 4_096

export interface Usage {
  readonly tokensIn: number
  readonly tokensOut: number
}

/** Watches the end of a body go by. */
export interface UsageTail {
  push(chunk: Buffer): void
  /** What the engine counted, when it said so. */
  read(): Usage | undefined
}

export const createUsageTail = (): UsageTail => {
  let chunks: Buffer[] = []
  let bytes = 0
  return {
    push: (chunk) => {
      chunks.push(chunk)
      bytes += chunk.length
      // The first chunk may go once the others alone fill the tail.
      while (chunks.length > 1 && bytes - chunks[0]!.length >= TAIL_BYTES)
        bytes -= chunks.shift()!.length
      if (chunks.length <= 64) return
      chunks = [Buffer.concat(chunks)]
    },
    read: () => readUsage(Buffer.concat(chunks).subarray(-TAIL_BYTES).toString('latin1')),
  }
}

/** The last `usage` object of the text, in the words of OpenAI's API. */
const readUsage = (text: string): Usage | undefined => {
  const usage = text.slice(text.lastIndexOf('"usage"'))
  const tokensIn = /"prompt_tokens"\s*:\s*(\d+)/.exec(usage)?.[1]
  if (!usage.startsWith('"usage"') || tokensIn === undefined) return undefined
  const tokensOut = /"completion_tokens"\s*:\s*(\d+)/.exec(usage)?.[1]
  return { tokensIn: Number(tokensIn), tokensOut: Number(tokensOut ?? 0) }
}
