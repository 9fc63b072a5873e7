import type { EngineSpec, ProbeResponse, ProbeResult } from '@berth/supervision'
import { readAnswer } from './read-answer.ts'
import { isObject, readObject } from './read-json.ts'

const SHOWN_IDS = 5

/** Reads `GET /v1/models`: up only when the served names contain the pool's model. */
export const readModels = (
  path: string,
  response: ProbeResponse,
  { modelId }: Pick<EngineSpec, 'modelId'>,
): ProbeResult =>
  readAnswer(path, response, (answer, graded) => {
    const modelIds = modelIdsOf(answer.body)
    if (modelIds === undefined) {
      return { verdict: 'unhealthy', fact: `${path} has no list of models in its answer` }
    }
    // Ollama adds a tag to names that have none.
    const isServed = modelIds.some((id) => id === modelId || id === `${modelId}:latest`)
    if (modelId === undefined || isServed) return { ...graded, modelIds }
    const shown = modelIds.slice(0, SHOWN_IDS).join(', ') || 'nothing'
    return { verdict: 'unhealthy', fact: `${path} lists ${shown}, not ${modelId}` }
  })

const modelIdsOf = (body: string): readonly string[] | undefined => {
  const data = readObject(body)?.data
  if (!Array.isArray(data)) return undefined
  return data
    .map((model: unknown) => (isObject(model) ? model.id : undefined))
    .filter((id) => typeof id === 'string')
}
