import type { ProbeResponse, ProbeResult } from '@berth/supervision'
import { readAnswer } from './read-answer.ts'
import { readObject } from './read-json.ts'

/** Reads `GET /props` of llama-server and its kin: up, with the slots it says it has. */
export const readSlots = (path: string, response: ProbeResponse): ProbeResult =>
  readAnswer(path, response, (answer, graded) => {
    const slots = readObject(answer.body)?.total_slots
    return typeof slots === 'number' ? { ...graded, slots } : graded
  })
