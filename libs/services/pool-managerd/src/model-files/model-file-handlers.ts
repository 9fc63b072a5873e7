import type { MessageInitShape } from '@bufbuild/protobuf'
import type { CommandHeader, ModelFilesSchema, PoolManagerService } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { parseModelRef, type StoredModel } from '@berth/model-store'
import type { Handlers } from '@berth/rpc'
import { createFirstAnswers } from '../commands/first-answers.ts'
import type { Authority } from '../ingress/authority.ts'
import type { Pool } from '../pool/pool.ts'
import { readModelSource } from '../pools-file/model-source.ts'
import { diskMessage } from './disk-message.ts'
import type { ModelFiles } from './model-files.ts'
import { poolsNeeding } from './needed-by.ts'
import type { Pulls } from './pull-models.ts'
import { wantOf } from './want-of.ts'

export interface ModelFileCommands {
  readonly pools: ReadonlyMap<string, Pool>
  readonly authority: Authority
  /** Absent: this agent keeps no models. */
  readonly modelFiles?: ModelFiles | undefined
  readonly pulls?: Pulls | undefined
}

/** The commands about model files of this host: fenced by term, harmless when repeated. */
export const modelFileHandlers = (
  on: ModelFileCommands,
): Pick<Handlers<typeof PoolManagerService>, 'listModelFiles' | 'pullModel' | 'removeModel'> => {
  const { pools, authority, pulls } = on
  const answers = createFirstAnswers()
  const once = <T>(name: string, header: CommandHeader | undefined, work: () => Promise<T>) => {
    authority.admit(Number(header?.term ?? 0n))
    const key = header?.idempotencyKey ?? ''
    return answers.once(key && `${name} ${key}`, work)
  }
  return {
    listModelFiles: async () => {
      const files = filesOf(on)
      const models = await files.store.list()
      return {
        models: await Promise.all(models.map((model) => fileMessage(model, files, pools))),
        disk: await diskMessage(files.store, models),
      }
    },
    pullModel: ({ header, modelRef, digest }, { correlationId }) =>
      once('pull', header, async () => {
        filesOf(on)
        return {
          operation: pulls?.begin({
            ...{ modelRef: checkRef(modelRef), correlationId, want: wantOf(modelRef, pools) },
            modelId: nameOf(modelRef),
            term: Number(header?.term ?? 0n),
            idempotencyKey: header?.idempotencyKey ?? '',
            ...(digest === '' ? {} : { digest: checkDigest(digest) }),
          }),
        }
      }),
    removeModel: ({ header, modelRef }) =>
      once('remove', header, async () => {
        const { store } = filesOf(on)
        refuseNeeded(modelRef, poolsNeeding(pools.values(), modelRef))
        await pulls?.cancel(modelRef)
        return { freedBytes: BigInt(await store.remove(modelRef)) }
      }),
  }
}

const fileMessage = async (
  model: StoredModel,
  { readFacts }: ModelFiles,
  pools: ReadonlyMap<string, Pool>,
): Promise<MessageInitShape<typeof ModelFilesSchema>> => {
  // One whose header cannot be read is listed all the same.
  const facts = model.isComplete ? await readFacts(model.path).catch(() => undefined) : undefined
  return {
    modelRef: model.ref,
    path: model.path,
    sizeBytes: BigInt(model.sizeBytes),
    digest: model.digest ?? '',
    revision: model.revision ?? '',
    isComplete: model.isComplete,
    bytesDownloaded: BigInt(model.bytesDone),
    lastUsedAtMs: BigInt(Math.round(model.lastUsedAtMs)),
    poolIds: [...poolsNeeding(pools.values(), model.ref)],
    architecture: facts?.architecture ?? '',
    quantization: facts?.quantization ?? '',
    parameters: BigInt(Math.round(facts?.parameters ?? 0)),
    contextLength: facts?.contextLength ?? 0,
  }
}

const filesOf = ({ modelFiles }: ModelFileCommands): ModelFiles => {
  if (modelFiles) return modelFiles
  throw new BerthError('UNSUPPORTED_OPERATION', 'This agent keeps no model files.')
}

const REF_MAX_CHARS = 4_096

const checkRef = (modelRef: string): string => {
  if (modelRef !== '' && modelRef.length <= REF_MAX_CHARS) {
    parseModelRef(modelRef)
    return modelRef
  }
  throw new BerthError(
    'INVALID_PARAMS',
    `model_ref: expected 1 to ${REF_MAX_CHARS} characters, such as hf:Qwen/Qwen3-8B.`,
    { facts: { param: 'model_ref' } },
  )
}

/** What clients would call it: a load is told by it. */
const nameOf = (modelRef: string): string => {
  const { modelId } = readModelSource(modelRef, 'vllm', '/')
  if (modelId !== '') return modelId
  throw new BerthError(
    'INVALID_PARAMS',
    `model_ref: ${JSON.stringify(modelRef)} names no model. Write one such as hf:Qwen/Qwen3-8B.`,
    { facts: { param: 'model_ref' } },
  )
}

const checkDigest = (digest: string): string => {
  if (/^sha256:[0-9a-f]{64}$/.test(digest)) return digest
  throw new BerthError('INVALID_PARAMS', 'digest: expected "sha256:" and 64 of 0-9 and a-f.', {
    facts: { param: 'digest' },
  })
}

const refuseNeeded = (modelRef: string, poolIds: readonly string[]): void => {
  const [first] = poolIds
  if (first === undefined) return
  throw new BerthError(
    'ACTIVE_REQUESTS',
    `${modelRef.slice(0, 200)} is needed by ${poolIds.join(', ')}. Reload ${first} to another ` +
      'model, or take it out of the pools file, then remove the model.',
    { facts: { pool_id: first, pools: poolIds.length } },
  )
}
