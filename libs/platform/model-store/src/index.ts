export type {
  Collected,
  CollectOptions,
  EnsureOptions,
  FetchProgress,
  ModelStore,
  StoredModel,
} from './model-store.ts'
export { createModelStore } from './create-model-store.ts'
export type { ModelStoreOptions } from './store-options.ts'
export type { EgressOptions } from './egress/host-rules.ts'
export type { Resolve } from './egress/guard-lookup.ts'
export type { RetryOptions } from './download/download-file.ts'
export type { RegistryCredentials } from './source/source.ts'
export type { HubEnv } from './source/hub-token.ts'
export { readHubToken } from './source/hub-token.ts'
export { parseModelRef } from './ref/parse-model-ref.ts'
export type {
  FileRef,
  HttpsRef,
  HubRef,
  ModelSourceRef,
  OciRef,
  OllamaRef,
} from './ref/model-ref.ts'
