import type { Fleet } from '../fleet-client.ts'
import { mayUse, type Access } from './access.ts'

const MAX_LISTED = 50

/** A sentence that names the models of the fleet that the caller may use. */
export const servedModels = async (
  fleet: Fleet,
  access: Access,
  correlationId: string,
): Promise<string> => {
  const ids = await fleet.listModels(correlationId).then(
    (models) =>
      models
        .map(({ modelId }) => modelId)
        .filter((modelId) => mayUse(access, modelId))
        .sort(),
    // The answer stands without the list; GET /v1/models will say what is wrong.
    () => undefined,
  )
  if (ids === undefined) return 'GET /v1/models lists what is served.'
  if (ids.length === 0) return 'No model is served at the moment.'
  const more = ids.length > MAX_LISTED ? ` and ${ids.length - MAX_LISTED} more` : ''
  return `Served: ${ids.slice(0, MAX_LISTED).join(', ')}${more}.`
}
