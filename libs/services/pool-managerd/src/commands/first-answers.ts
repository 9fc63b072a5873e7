/** Answers remembered for repeats. */
const KEPT = 1_000

/** Makes a repeated command harmless: the same key gets the first answer again. */
export interface FirstAnswers {
  /** Runs `work` once per key; an empty key always runs it. A failure is not remembered. */
  once<T>(key: string, work: () => Promise<T>): Promise<T>
}

export const createFirstAnswers = (): FirstAnswers => {
  const answers = new Map<string, Promise<unknown>>()
  return {
    once: <T>(key: string, work: () => Promise<T>): Promise<T> => {
      if (key === '') return work()
      const first = answers.get(key)
      if (first) return first as Promise<T>
      const answer = work()
      answers.set(key, answer)
      answer.catch(() => answers.delete(key))
      const [oldest] = answers.keys()
      if (answers.size > KEPT && oldest !== undefined) answers.delete(oldest)
      return answer
    },
  }
}
