export type { EnsureOptions, FetchProgress, ModelStore, StoredModel } from './model-store.ts'
